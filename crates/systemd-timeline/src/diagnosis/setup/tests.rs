use super::*;
use crate::diagnosis::fixture::Run;

#[test]
fn a_program_of_another_setting() {
    Run::new()
        .states(0, &["start-pre"])
        .manager(
            10,
            3,
            "Unable to locate executable '/opt/prepare': No such file or directory",
        )
        .manager(
            10,
            3,
            "Failed at step EXEC spawning /opt/prepare: No such file or directory",
        )
        .command(10, "start-pre", "ExecStartPre=/opt/prepare", 203)
        .is_told(
            setup_failed,
            "systemd could not run the program of ExecStartPre=/opt/prepare of a.service (status 203/EXEC): Unable to locate executable '/opt/prepare': No such file or directory",
        );
}

#[test]
fn a_process_that_no_single_setting_keeps_from_starting() {
    let failed = Run::new().states(0, &["start"]).manager(
        10,
        3,
        "Failed at step CGROUP spawning /opt/a: Device or resource busy",
    );
    failed.exited(10, 219).is_told(
        setup_failed,
        "systemd could not start the process of a.service as its unit asks (status 219/CGROUP): Device or resource busy",
    );
    // A service may use such a status for its own purposes.
    let own = Run::new()
        .states(0, &["start", "running"])
        .log(5, 3, "no cgroup for me")
        .exited(10, 219);
    own.is_not_told(setup_failed);
}

#[test]
fn what_follows_when_a_command_fails() {
    let told = |role, command, sentence| {
        let run = Run::new().command(10, role, command, 1);
        run.is_told(command_failed, sentence);
    };
    told(
        "condition",
        "ExecCondition=/opt/check",
        "ExecCondition=/opt/check of a.service ended with exit code 1, so the service itself was not started",
    );
    told(
        "start-pre",
        "ExecStartPre=/opt/prepare",
        "ExecStartPre=/opt/prepare of a.service ended with exit code 1, so the service itself was not started",
    );
    told(
        "reload",
        "ExecReload=/opt/reload",
        "ExecReload=/opt/reload of a.service ended with exit code 1, so systemd treats the reload as failed",
    );
    told(
        "stop",
        "ExecStop=/opt/stop",
        "ExecStop=/opt/stop of a.service ended with exit code 1, and systemd treats that as a failure of the service",
    );
    let succeeds = Run::new().command(10, "stop", "ExecStop=/opt/stop", 0);
    succeeds.is_not_told(command_failed);
}

#[test]
fn what_ends_the_machine_and_when() {
    let told = |line: &str, sentence| {
        let run = Run::new().file(&format!("[Unit]\n{line}\n"));
        run.is_told(ends_the_machine, sentence);
    };
    told(
        "SuccessAction=exit",
        "SuccessAction=exit of a.service: when it ends well, systemd powers off the whole machine and everything else that runs on it",
    );
    told(
        "JobTimeoutAction=reboot-force",
        "JobTimeoutAction=reboot-force of a.service: when one of its jobs takes too long, systemd reboots the whole machine and everything else that runs on it",
    );
    told(
        "FailureAction=soft-reboot-force",
        "FailureAction=soft-reboot-force of a.service: when it fails, systemd ends everything else on the machine as well, and starts it again",
    );
    told(
        "FailureAction=halt",
        "FailureAction=halt of a.service: when it fails, systemd halts the whole machine and everything else that runs on it",
    );
    let none = Run::new().file("[Unit]\nFailureAction=none\n");
    none.is_not_told(ends_the_machine);
}
