//! The units for systemd, as systemd reads them.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::support::skip;

/// As much as a service that runs on may be exposed, out of 100: whoever enters
/// namespaces of containers cannot be locked up further.
const MOST_EXPOSED: &str = "60";
/// What ends by itself within a moment may be more exposed.
const UNITS: [(&str, &str); 4] = [
    ("pipework.service", MOST_EXPOSED),
    // It may become another user, for dhcpcd.
    ("pipework-docker.service", "64"),
    ("pipework-nri.service", MOST_EXPOSED),
    ("pipework-gc.service", "80"),
];

fn analyze(directory: &Path, words: &[&str]) -> Option<Output> {
    let mut command = Command::new("systemd-analyze");
    let output = command.args(words).current_dir(directory).output();
    output.ok()
}

#[test]
fn systemd_reads_every_setting_of_our_units_and_counts_them_locked_up() {
    let name = format!("pipework-units-{}", std::process::id());
    let directory = std::env::temp_dir().join(name);
    fs::create_dir_all(&directory).unwrap();
    let mut names = Vec::new();
    for unit in fs::read_dir("packaging/systemd").unwrap().flatten() {
        let text = fs::read_to_string(unit.path()).unwrap();
        // It is not installed where this runs.
        let text = text.replace("/usr/bin/pipework", "/bin/true");
        let name = format!("./{}", unit.file_name().display());
        fs::write(directory.join(&name), text).unwrap();
        names.push(name);
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let services = names.iter().filter(|name| name.ends_with(".service"));
    assert_eq!(services.count(), UNITS.len());
    let read = analyze(&directory, &[&["verify", "--man=no"], &names[..]].concat());
    let secured = UNITS.map(|(unit, most)| {
        let (threshold, unit) = (format!("--threshold={most}"), format!("./{unit}"));
        let words = [
            "security",
            "--offline=true",
            "--no-pager",
            &threshold,
            &unit,
        ];
        analyze(&directory, &words)
    });
    fs::remove_dir_all(&directory).unwrap();
    let Some(read) = read else {
        skip!("there is no systemd-analyze");
    };
    // It may say something of the machine's own units as well.
    let said = String::from_utf8_lossy(&read.stderr).into_owned();
    let of_ours: Vec<&str> = said
        .lines()
        .filter(|line| line.contains("pipework"))
        .collect();
    assert_eq!(of_ours, [""; 0]);
    for secured in secured.into_iter().flatten() {
        let said = String::from_utf8_lossy(&secured.stdout).into_owned();
        assert!(secured.status.success(), "{said}");
    }
}

#[test]
fn whom_containers_need_at_boot_is_there_before_their_engine() {
    let engines: [(&str, &[&str]); 5] = [
        (
            "pipework.socket",
            &["docker.service", "containerd.service", "crio.service"],
        ),
        (
            "pipework.service",
            &["docker.service", "containerd.service", "crio.service"],
        ),
        ("pipework-docker.socket", &["docker.service"]),
        ("pipework-docker.service", &["docker.service"]),
        ("pipework-nri.service", &["kubelet.service"]),
    ];
    for (unit, engines) in engines {
        let text = fs::read_to_string(format!("packaging/systemd/{unit}")).unwrap();
        let before: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("Before="))
            .flat_map(str::split_whitespace)
            .collect();
        assert_eq!(before, engines, "{unit}");
    }
}
