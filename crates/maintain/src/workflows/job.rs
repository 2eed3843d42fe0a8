//! What a workflow file says: the commands of its job, and what the job keeps for the next one.

use anyhow::{Context, ensure};

use crate::yaml::{Yaml, load, string, strings};

/// A job of a CI server.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Job {
    /// Its variables, in the file's order.
    pub(super) variables: Vec<(String, String)>,
    /// What runs, each in a shell of its own.
    pub(super) steps: Vec<Step>,
    /// What the next job begins with: paths in the project's folder, or in the home folder (`~/`).
    pub(super) cached: Vec<String>,
}

/// Some commands.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) name: String,
    pub(super) script: String,
}

/// GitHub's own actions that the caller stands in for: the project is there, and what a job keeps is moved to the next one.
const ACTIONS: [&str; 3] = [
    "actions/checkout@",
    "actions/cache@",
    "actions/upload-artifact@",
];

/// The first one of [`ACTIONS`] that has paths to keep.
const CACHE: &str = "actions/cache@";

/// The beginning of an expression, which only GitHub computes.
const EXPRESSION: &str = "${{";

/// The job in a workflow file of GitHub Actions.
///
/// # Errors
///
/// For whatever else it has: nothing may be left out silently.
pub(super) fn github(text: &str) -> anyhow::Result<Job> {
    let file = load(text)?;
    let jobs = file["jobs"].as_hash().context("it has no jobs")?;
    ensure!(jobs.len() == 1, "it has more than one job");
    let job = jobs.values().next().context("it has no job")?;
    let mut steps = Vec::new();
    let mut cached = Vec::new();
    for step in job["steps"].as_vec().context("its job has no steps")? {
        if let Some(action) = step["uses"].as_str() {
            let is_known = ACTIONS.iter().any(|known| action.starts_with(known));
            ensure!(is_known, "nothing stands in for the action {action}");
            if action.starts_with(CACHE) {
                let paths = string(&step["with"]["path"], "a cache's path")?;
                cached.extend(paths.lines().map(str::to_owned));
            }
            continue;
        }
        let script = string(&step["run"], "a step's `run`")?;
        ensure!(
            !script.contains(EXPRESSION),
            "only GitHub knows the expression in: {script}"
        );
        steps.push(Step {
            name: string(&step["name"], "a step's name")?,
            script,
        });
    }
    Ok(Job {
        variables: variables(&file["env"])?,
        steps,
        cached,
    })
}

/// The job in a workflow file of GitLab. It runs all of its lines in one shell.
///
/// # Errors
///
/// As [`github`].
pub(super) fn gitlab(text: &str) -> anyhow::Result<Job> {
    let file = load(text)?;
    let jobs = file.as_hash().context("it is not a table")?.iter();
    let mut jobs = jobs.filter(|(_, job)| !job["script"].is_badvalue());
    let (name, job) = jobs.next().context("it has no job")?;
    ensure!(jobs.next().is_none(), "it has more than one job");
    let mut script = String::new();
    for part in ["before_script", "script"] {
        for line in strings(&job[part], part)? {
            script.push_str(line.trim_end());
            script.push('\n');
        }
    }
    Ok(Job {
        variables: variables(&file["variables"])?,
        steps: vec![Step {
            name: string(name, "the job's name")?,
            script,
        }],
        cached: strings(&job["cache"]["paths"], "a cache's paths")?,
    })
}

fn variables(yaml: &Yaml) -> anyhow::Result<Vec<(String, String)>> {
    let variables = yaml.as_hash().context("it has no variables")?.iter();
    variables
        .map(|(name, value)| Ok((string(name, "a variable")?, string(value, "a value")?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both servers run the same commands; a command of one alone has a reason.
    #[test]
    fn both_files_run_the_same() {
        let github = github(include_str!(
            "../../../../examples/own-service/.github/workflows/resilience.yml"
        ))
        .expect("it is a workflow");
        let gitlab = gitlab(include_str!(
            "../../../../examples/own-service/.gitlab-ci.yml"
        ))
        .expect("it is a workflow");
        let lines = |job: &Job, own: &[&str]| -> Vec<String> {
            let lines = job.steps.iter().flat_map(|step| step.script.lines());
            // GitLab's jobs are root.
            let lines = lines.map(|line| line.trim().trim_start_matches("sudo ").to_owned());
            lines
                .filter(|line| !own.iter().any(|own| line.starts_with(own)))
                .collect()
        };
        // GitHub's key for the cache has the version. On GitLab, cargo's home is where no PATH leads to.
        assert_eq!(
            lines(&github, &["echo \"version="]),
            lines(&gitlab, &["export PATH="])
        );
        assert_eq!(github.steps.len(), 6);
        let keys = |job: &Job| job.variables[..3].to_vec();
        assert_eq!(keys(&github), keys(&gitlab));
        assert_eq!(github.cached.len(), 6);
    }

    #[test]
    fn nothing_is_left_out_silently() {
        let step = |step: &str| format!("env: {{A: b}}\njobs:\n  a:\n    steps:\n      - {step}\n");
        for (text, complaint) in [
            (step("uses: other/action@v1"), "nothing stands in"),
            (
                step("{name: a, run: 'echo ${{ github.sha }}'}"),
                "only GitHub knows",
            ),
            (step("{name: a}"), "`run` is not a string"),
        ] {
            let error = github(&text).expect_err(&text).to_string();
            assert!(error.contains(complaint), "{error}");
        }
        let text = "variables: {A: b}\na: {script: [x]}\n";
        let error = gitlab(text).expect_err(text).to_string();
        assert_eq!(error, "before_script is not a list");
    }
}
