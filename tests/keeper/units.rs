//! The units for systemd, as systemd reads them.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::support::skip;

/// As much as a service may be exposed, out of 10: whoever enters namespaces of
/// containers cannot be locked up further.
const MOST_EXPOSED: &str = "60";

fn analyze(directory: &Path, words: &[&str]) -> Option<Output> {
    let mut command = Command::new("systemd-analyze");
    let output = command.args(words).current_dir(directory).output();
    output.ok()
}

#[test]
fn systemd_reads_every_setting_of_the_daemons_units() {
    let name = format!("pipework-units-{}", std::process::id());
    let directory = std::env::temp_dir().join(name);
    fs::create_dir_all(&directory).unwrap();
    for unit in ["pipework.service", "pipework.socket"] {
        let text = fs::read_to_string(Path::new("packaging/systemd").join(unit)).unwrap();
        // It is not installed where this runs.
        let text = text.replace("/usr/bin/pipework", "/bin/true");
        fs::write(directory.join(unit), text).unwrap();
    }
    let units = ["./pipework.service", "./pipework.socket"];
    let read = analyze(&directory, &[&["verify", "--man=no"], &units[..]].concat());
    let threshold = format!("--threshold={MOST_EXPOSED}");
    let secured = [
        "security",
        "--offline=true",
        "--no-pager",
        &threshold,
        units[0],
    ];
    let secured = analyze(&directory, &secured);
    fs::remove_dir_all(&directory).unwrap();
    let (Some(read), Some(secured)) = (read, secured) else {
        skip!("there is no systemd-analyze");
    };
    // It may say something of the machine's own units as well.
    let said = String::from_utf8_lossy(&read.stderr).into_owned();
    let of_ours: Vec<&str> = said
        .lines()
        .filter(|line| line.contains("pipework"))
        .collect();
    assert_eq!(of_ours, [""; 0]);
    let said = String::from_utf8_lossy(&secured.stdout).into_owned();
    assert!(secured.status.success(), "{said}");
}
