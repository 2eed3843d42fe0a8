//! The text of `--help` below the options.

pub(super) const AFTER_HELP: &str = "\
Faults: kill (SIGKILL) or kill=SIGNAL to the main process, kill-all or kill-all=SIGNAL to every process of the unit, freeze \
(all processes hang: SIGSTOP), thaw, oom (the kernel kills the largest process), stop, start, restart, reload, reset-failed; \
and without a particular unit, daemon-reload, run=COMMAND (/bin/sh -c COMMAND, as root; the run does not wait for it) and \
reboot (the run ends with the machine). A fault hits the first unit; FAULT@UNIT hits another.

When: a time since the start, such as 10s or '1h 30min', or an event: a notification (READY=1, WATCHDOG=1, STATUS=…: compared \
with its beginning), 'restart' or 'restart 2' (systemd restarts the unit for the second time), a state that is entered \
(running, failed, stop-sigterm, …), or 'log TEXT' (a log line with this text). After it, optionally and in this order: '#3' \
for the third one, '@UNIT' for a unit other than the first, '+ 200ms' for a delay: 'WATCHDOG=1 #3@db.service + 200ms'. A fault \
whose event does not happen never comes, and the run says so.

Probes: --get, --connect, --ask and --exec may be given several times. After the target, ',every=5s', ',timeout=1s' and \
',name=health' apply to this probe only: --get http://127.0.0.1:8080/health,every=5s,name=health. --ask sends the text after \
',send=' with an end of line (CR LF, unless it has its own: \\r \\n \\t \\\\ are known), and the answer must begin with the \
text after ',expect='; without ',send=' the service speaks first. --exec is /bin/sh -c COMMAND, as root.

Requirements, with >=, <=, >, < or =: 'availability >= 99.9%', 'outage <= 2s' (the longest), 'outages <= 1', 'recovery <= 5s' \
(the longest after any fault, until the unit is up and all probes are answered), 'restarts <= 3', 'no unit failed', and \
'my.service did not fail'. All but the last two take the name of one probe or unit: 'availability of health >= 99%', 'restarts \
of worker.service <= 3'.

A plan's file is TOML, with the options above --plan as its keys (unit, file, at, for, …): unit = \"my.service\", file = \
[\"my:/usr/bin/my\"], at = [[\"10s\", \"kill\"], [\"READY=1\", \"freeze\"]], enable = true. Its paths are relative to its \
folder. Options on the command line add to its lists and override its single values.

The guest has no network but its loopback. Programs should be linked statically; others need libraries that the guest has, \
that a --package brings, or that --file puts there.

To check a timeline in your own CI: run once with --save FILE, later with --expect FILE. Each unit must have the same events \
in the same order, each within half a second of when it happened before. Log lines, what commands print and PIDs are not \
compared.

Exit status: 0 the run took place (all requirements are met, and it was as expected), 1 a requirement is not met, or it was \
not as expected, 2 wrong usage, 4 out of time, 5 the lab is broken, 6 as 0, but the output could not be printed or written";
