//! `cargo maintain lab-vm`: `lab-vm/user-data.yaml` makes a lab VM. cloud-init's own check reads it, and its steps run in a fresh root of
//! Debian, as cloud-init would run them on a plain image.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use exercise_check::Outcome;
use stages::cargo::Workspace;
use stages::exercises::Workshop;
use systemd_lab_cli::say;

use crate::root::{Network, Root};
use crate::verified::{Tally, Verified};
use crate::yaml::{Yaml, load, string, strings};

/// Shown at the end of the subcommand's help.
pub(crate) const EXAMPLES: &str = "\
Needs root and a network. What is not committed is not tried. Not tried either: rustup, in whose place is this machine's toolchain, and
systemctl: a root has no systemd. The guide's service is started by its ExecStart= line.

Example:
    cargo maintain lab-vm    a fresh root of Debian 13: fifteen minutes on two cores";

/// The file, in the repository.
const USER_DATA: &str = "lab-vm/user-data.yaml";

/// The Debian release of the root.
const SUITE: &str = "trixie";

/// The workshop's repository in the root, and what user data calls the parameters that the root has its own values for.
const WORKSHOP: &str = "/srv/workshop.git";
const REPOSITORY: &str = "LAB_REPOSITORY=";
const REVISION: &str = "LAB_REVISION=";

/// No one else in the room listens there.
const PORT_PARAMETER: &str = "LAB_PORT=";
const PORT: u16 = 3917;

/// The one who attends, by the user data's default.
const USER: &str = "attendee";

/// The unit that serves the guide.
const GUIDE: &str = "/etc/systemd/system/lab-guide.service";

/// `mdbook serve` builds the guide first, which takes seconds; a busy machine may take longer.
const SERVED_WITHIN: Duration = Duration::from_secs(120);

/// How often to ask whether the guide is served.
const ASK_INTERVAL: Duration = Duration::from_millis(500);

/// The first 12 bytes of an answer are enough.
const GOOD_ANSWER: &str = "HTTP/1.1 200";

/// A root has no systemd: in place of systemctl(1), the script's call is written down.
const SYSTEMCTL: &str = "/usr/local/bin/systemctl";
const CALLS: &str = "/tmp/systemctl-calls";
const EXPECTED_CALLS: &str = "enable --now lab-guide.service\n";

/// What user data may have: everything else would be left out silently.
const KEYS: [&str; 4] = ["write_files", "package_update", "packages", "runcmd"];

/// The part of cloud-init's language that the file uses.
struct UserData {
    files: Vec<WrittenFile>,
    packages: Vec<String>,
    commands: Vec<Vec<String>>,
}

struct WrittenFile {
    path: String,
    content: String,
    mode: u32,
}

/// A file's permissions, unless user data says something else.
const DEFAULT_MODE: &str = "0644";

impl UserData {
    fn parse(text: &str) -> anyhow::Result<UserData> {
        ensure!(
            text.starts_with("#cloud-config\n"),
            "its first line is not #cloud-config"
        );
        let file = load(text)?;
        for key in file.as_hash().context("it is not a table")?.keys() {
            let key = string(key, "a key")?;
            ensure!(KEYS.contains(&key.as_str()), "nothing here does `{key}`");
        }
        let files = file["write_files"].as_vec().context("it writes no files")?;
        let commands = file["runcmd"].as_vec().context("it runs nothing")?;
        Ok(UserData {
            files: files
                .iter()
                .map(WrittenFile::parse)
                .collect::<Result<_, _>>()?,
            packages: strings(&file["packages"], "packages")?,
            commands: commands
                .iter()
                .map(|command| strings(command, "a command"))
                .collect::<Result<_, _>>()?,
        })
    }
}

impl WrittenFile {
    fn parse(yaml: &Yaml) -> anyhow::Result<WrittenFile> {
        let mode = yaml["permissions"].as_str().unwrap_or(DEFAULT_MODE);
        Ok(WrittenFile {
            path: string(&yaml["path"], "a file's path")?,
            content: string(&yaml["content"], "a file's content")?,
            mode: u32::from_str_radix(mode, 8).context("permissions are not octal")?,
        })
    }
}

/// Makes a lab VM out of a root, and reports what does not work.
pub(crate) fn run(workshop: &Workshop) -> anyhow::Result<Outcome> {
    let text = fs::read_to_string(workshop.root.join(USER_DATA))
        .with_context(|| format!("cannot read {USER_DATA}"))?;
    let data = UserData::parse(&text).context(USER_DATA)?;
    let target = Workspace::read(&workshop.root)?.target;
    let began = Instant::now();
    let root = Root::make(&target.join("roots/lab-vm"), SUITE, &["cloud-init"])?;
    let mut vm = Vm {
        root,
        tally: Tally::default(),
    };
    vm.add("a fresh root", began, None);
    vm.schema(&text)?;
    vm.set_up(workshop, &data)?;
    let network = [
        ("with a network", Network::Host),
        ("without one", Network::None),
    ];
    for (item, network) in network {
        let item = format!("doctor --all, {item}");
        vm.step(
            &item,
            USER,
            network,
            "cd workshop && cargo workshop doctor --all",
        )?;
    }
    // What an attendee's first check says, and its exit status.
    let first = "cd workshop && cargo workshop check 01 | grep --quiet 'NOT YET'";
    vm.step("the first check", USER, Network::None, first)?;
    vm.guide()?;
    let disk = "du --summarize --human-readable --one-file-system /";
    let disk = vm.root.run("root", Network::Host, disk)?;
    say!("disk: {}", String::from_utf8_lossy(&disk.stdout));
    say!("{}", vm.tally.summary());
    Ok(vm.tally.outcome())
}

struct Vm {
    root: Root,
    tally: Tally,
}

impl Vm {
    fn add(&mut self, item: &str, began: Instant, complaint: Option<String>) {
        let verified = match complaint {
            None => Verified::OkIn(began.elapsed()),
            Some(complaint) => Verified::Failed(complaint),
        };
        self.tally.add(&item, &verified);
    }

    /// Runs this in the root; it must succeed.
    fn step(
        &mut self,
        item: &str,
        user: &str,
        network: Network,
        script: &str,
    ) -> anyhow::Result<()> {
        let began = Instant::now();
        let output = self.root.run(user, network, script)?;
        let complaint = (!output.status.success()).then(|| {
            format!(
                "{}:\n{}{}",
                output.status,
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            )
        });
        self.add(item, began, complaint);
        Ok(())
    }

    /// What cloud-init says about the file.
    fn schema(&mut self, text: &str) -> anyhow::Result<()> {
        fs::write(self.root.path("/tmp/user-data"), text).context("cannot write to the root")?;
        self.step(
            "cloud-init schema",
            "root",
            Network::Host,
            "cloud-init schema --config-file /tmp/user-data | grep --quiet '^Valid schema'",
        )
    }

    /// Does what cloud-init would do, in its order.
    fn set_up(&mut self, workshop: &Workshop, data: &UserData) -> anyhow::Result<()> {
        let revision = self.clone_to_root(&workshop.root)?;
        for file in &data.files {
            let path = self.root.path(&file.path);
            let content = with_parameters(&file.content, &revision);
            fs::write(&path, content).with_context(|| format!("cannot write {}", file.path))?;
            fs::set_permissions(&path, fs::Permissions::from_mode(file.mode))
                .with_context(|| format!("cannot write {}", file.path))?;
        }
        // The root comes with a user; a plain image does not.
        self.root.as_root(&format!(
            "userdel --remove {USER} && rm /etc/sudoers.d/{USER}"
        ))?;
        let install = format!(
            "apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes {}",
            data.packages.join(" ")
        );
        self.step("packages", "root", Network::Host, &install)?;
        let stand_in = self.root.path(SYSTEMCTL);
        fs::write(&stand_in, format!("#!/bin/sh\necho \"$*\" >>{CALLS}\n"))
            .and_then(|()| fs::set_permissions(&stand_in, fs::Permissions::from_mode(0o755)))
            .with_context(|| format!("cannot write {SYSTEMCTL}"))?;
        for command in &data.commands {
            let item = command.join(" ");
            self.step(&item, "root", Network::Host, &item)?;
        }
        Ok(())
    }

    /// What git has of the repository in this folder, and the commit.
    fn clone_to_root(&self, repository: &Path) -> anyhow::Result<String> {
        let cloned = Command::new("git")
            .args(["-c", "init.defaultBranch=main", "clone"])
            .args(["--quiet", "--bare", "--no-local"])
            .arg(repository)
            .arg(self.root.path(WORKSHOP))
            .status()
            .context("cannot run git")?;
        ensure!(cloned.success(), "git could not clone the repository");
        // git refuses to read what belongs to somebody else.
        self.root.as_root(&format!(
            "git config --system --add safe.directory {WORKSHOP}"
        ))?;
        let head = Command::new("git")
            .args(["rev-parse", "HEAD"])
            .current_dir(repository)
            .output()
            .context("cannot run git")?;
        ensure!(head.status.success(), "this is not a clone");
        Ok(String::from_utf8_lossy(&head.stdout).trim().to_owned())
    }

    /// Starts the guide's service as its unit says, and reads its first page on the loopback address.
    fn guide(&mut self) -> anyhow::Result<()> {
        let began = Instant::now();
        let calls = fs::read_to_string(self.root.path(CALLS)).unwrap_or_default();
        let complaint = (calls != EXPECTED_CALLS)
            .then(|| format!("expected `systemctl {EXPECTED_CALLS}`, got {calls:?}"));
        self.add("the guide's service is started", began, complaint);
        let unit = fs::read_to_string(self.root.path(GUIDE))
            .context("the steps wrote no unit for the guide")?;
        let value = |key: &str| {
            let lines = unit.lines();
            let mut values = lines.filter_map(|line| line.strip_prefix(&format!("{key}=")));
            values
                .next()
                .with_context(|| format!("the guide's unit has no {key}="))
        };
        let script = format!(
            "cd {} && {}",
            value("WorkingDirectory")?,
            value("ExecStart")?
        );
        let mut serving = self
            .root
            .command(value("User")?, Network::Host, &script)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot run unshare")?;
        let complaint = loop {
            match first_page() {
                Ok(()) => break None,
                Err(error) if began.elapsed() > SERVED_WITHIN => break Some(format!("{error:#}")),
                Err(_) => thread::sleep(ASK_INTERVAL),
            }
        };
        // Its namespace's processes end with it.
        serving.kill().context("cannot end the guide's service")?;
        serving
            .wait()
            .context("cannot wait for the guide's service")?;
        let said = complaint.map(|complaint| {
            let lines = serving.stderr.take().map(BufReader::new);
            let lines = lines.into_iter().flat_map(BufRead::lines);
            let said: Vec<String> = lines.map_while(Result::ok).collect();
            format!("{complaint}\n{}", said.join("\n"))
        });
        self.add("the guide on 127.0.0.1", began, said);
        Ok(())
    }
}

/// The root's own values for some parameters.
fn with_parameters(content: &str, revision: &str) -> String {
    let lines = content.lines().map(|line| {
        for (parameter, value) in [
            (REPOSITORY, WORKSHOP),
            (REVISION, revision),
            (PORT_PARAMETER, &PORT.to_string()),
        ] {
            if line.starts_with(parameter) {
                return format!("{parameter}{value}\n");
            }
        }
        format!("{line}\n")
    });
    lines.collect()
}

/// Asks for the guide's first page.
fn first_page() -> anyhow::Result<()> {
    let mut connection = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, PORT)))
        .context("no one serves the guide")?;
    let address = format!("127.0.0.1:{PORT}");
    let request = format!("GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    connection
        .write_all(request.as_bytes())
        .context("the guide's server does not listen to the end")?;
    let mut answer = [0; GOOD_ANSWER.len()];
    connection
        .read_exact(&mut answer)
        .context("the guide's server does not answer")?;
    if answer != GOOD_ANSWER.as_bytes() {
        bail!(
            "the guide's server answers {:?}",
            String::from_utf8_lossy(&answer)
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = include_str!("../../../lab-vm/user-data.yaml");

    #[test]
    fn the_parameters_come_first_and_there_are_no_secrets() {
        let data = UserData::parse(FILE).expect("it can be read");
        let parameters = &data.files[0];
        assert_eq!(parameters.path, "/etc/lab-vm.conf");
        let changed = with_parameters(&parameters.content, "abc");
        for line in [
            "LAB_REPOSITORY=/srv/workshop.git\n",
            "LAB_REVISION=abc\n",
            "LAB_PORT=3917\n",
        ] {
            assert!(changed.contains(line), "{changed}");
        }
        for word in ["password", " passwd:", "token", "private key"] {
            assert!(!FILE.to_lowercase().contains(word), "{word}");
        }
    }

    #[test]
    fn nothing_is_left_out_silently() {
        let more = format!("{FILE}\nbootcmd:\n  - [true]\n");
        let error = UserData::parse(&more).err().expect("it is refused");
        assert_eq!(error.to_string(), "nothing here does `bootcmd`");
        let mode = UserData::parse(FILE).expect("it can be read").files[1].mode;
        assert_eq!(mode, 0o755);
    }
}
