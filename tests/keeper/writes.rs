//! A file of a lease whose writer is killed: it says what it said before, or what
//! it was to say, and nothing in between.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::process::{lease_of, store, within};
use crate::support::lab::lab;

/// In the environment of a process that writes until it is killed.
const WRITES: &str = "PIPEWORK_TEST_WRITES";
/// How often one is killed.
const KILLS: u64 = 40;

#[test]
fn the_file_of_a_lease_is_whole_whenever_its_writer_is_killed() {
    if let Ok(text) = std::env::var(WRITES) {
        let mut kept: pipework::record::Kept = serde_json::from_str(&text).unwrap();
        loop {
            kept.identity.name = match kept.identity.name.as_str() {
                "web" => "w".to_owned(),
                _ => "web".to_owned(),
            };
            store().keep_lease(&kept).unwrap();
        }
    }
    lab!(|lab| {
        let web = lab.container("web");
        let kept = lease_of(&web, 7);
        store().keep_lease(&kept).unwrap();
        let text = serde_json::to_string(&kept).unwrap();
        let written = || store().lease(&kept.id).unwrap().expect("a file");
        let mut names = std::collections::BTreeSet::new();
        for round in 0..KILLS {
            let mut writer = Command::new("setpriv")
                .args(["--pdeathsig", "KILL"])
                .arg(std::env::current_exe().unwrap())
                .args([
                    "--exact",
                    "writes::the_file_of_a_lease_is_whole_whenever_its_writer_is_killed",
                ])
                .env(WRITES, &text)
                .stdout(Stdio::null())
                .spawn()
                .unwrap();
            let before = written().identity.name;
            within("it writes", || written().identity.name != before);
            std::thread::sleep(Duration::from_micros(round * 37));
            writer.kill().unwrap();
            writer.wait().unwrap();
            let mut found = written();
            names.insert(std::mem::take(&mut found.identity.name));
            found.identity.name = kept.identity.name.clone();
            assert_eq!(found, kept);
        }
        assert!(
            names.iter().all(|name| name == "web" || name == "w"),
            "{names:?}"
        );
    });
}
