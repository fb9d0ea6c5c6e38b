//! Many hooks at the same moment.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::support::lab::snapshot::Records;
use crate::support::lab::{Container, PIPEWORK, ip_json, lab};

const CROWD: usize = 64;

#[test]
fn sixty_four_hooks_at_once_make_one_bridge() {
    lab!(|lab| {
        let containers: Vec<Container> = (0..CROWD).map(|_| lab.any_container()).collect();
        let mut runs = Vec::new();
        for (number, container) in containers.iter().enumerate() {
            let ip = format!("pipework.ip=10.0.0.{}/24", number + 10);
            let state = lab.state(container, &["pipework.bridge=br7", &ip]);
            let mut run = Command::new(PIPEWORK)
                .args(["hook", "--stage", "createRuntime"])
                .stdin(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            // They wait for the end of stdin, which comes to all at once.
            let mut stdin = run.stdin.take().unwrap();
            stdin.write_all(state.to_string().as_bytes()).unwrap();
            runs.push((run, stdin));
        }
        let runs: Vec<_> = runs.into_iter().map(|(run, _stdin)| run).collect();
        for run in runs {
            let output = run.wait_with_output().unwrap();
            let text = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{text}");
        }
        let count = |what: &str| ip_json(what).as_array().unwrap().len();
        assert_eq!(count("link show master br7"), CROWD);
        assert_eq!(count("link show type bridge"), 1);
        let records = Records::take();
        assert_eq!(records.of("shared").len(), 1);
        assert_eq!(records.of("attachments").len(), CROWD);
    });
}
