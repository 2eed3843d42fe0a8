//! scratch
use std::time::Duration;
use systemd_lab::{GuestFile, Lab, protocol::Scenario};
fn main() {
    let t = std::time::Instant::now();
    let lab = match Lab::open() {
        Ok(l) => l,
        Err(e) => {
            println!("{e}");
            return;
        }
    };
    println!("open {:?}", t.elapsed());
    let unit = "[Unit]\nStartLimitIntervalSec=5min\nStartLimitBurst=4\n[Service]\nType=notify\nExecStart=/usr/lib/lab/svc\nWatchdogSec=10s\nRestart=on-failure\nRestartSec=5s\n";
    for i in 0..5 {
        let t = std::time::Instant::now();
        let s = Scenario::new("wd")
            .start("t.service")
            .wait_for_state("t.service", &["failed"], Duration::from_secs(300))
            .sleep(Duration::from_secs(230))
            .observe("t.service");
        match lab.run(
            &s,
            &[
                GuestFile::text("/etc/systemd/system/t.service", unit),
                GuestFile::program("/usr/lib/lab/svc", "/tmp/p/proto/svc"),
            ],
        ) {
            Ok(tl) => {
                if i == 0 {
                    println!(
                        "{}",
                        systemd_lab::View::everything(&["t.service"]).render(&tl)
                    );
                    std::fs::write("/tmp/tl.json", tl.to_json_lines()).unwrap();
                }
            }
            Err(e) => println!("{e}"),
        }
        println!("run {:?}", t.elapsed());
    }
}
