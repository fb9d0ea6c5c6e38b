//! A container that asks for nothing pays next to nothing.

use std::fs;
use std::process::Command;

use serde_json::json;

use crate::kill::strace_works;
use crate::support::lab::snapshot::Records;
use crate::support::lab::{PIPEWORK, RECORDS, feed, lab};
use crate::support::skip;

/// With the dynamic loader's, and twice what was counted.
const FEW: usize = 160;

#[test]
fn a_container_without_annotations_of_ours_opens_no_socket_and_no_record() {
    if !strace_works() {
        skip!("there is no strace that may trace");
    }
    lab!(|lab| {
        let container = lab.any_container();
        let mut state = lab.state(&container, &[]);
        state["annotations"] = json!({ "org.example.pipework": "1" });
        for stage in ["createRuntime", "poststop"] {
            let mut command = Command::new("strace");
            command.env_remove("LD_LIBRARY_PATH").args([
                "-qq",
                "-f",
                "-o",
                "/run/trace",
                PIPEWORK,
                "hook",
                "--stage",
                stage,
            ]);
            feed(&mut command, state.to_string().as_bytes()).ok();
            let trace = fs::read_to_string("/run/trace").unwrap();
            for call in [
                "socket(",
                "setns(",
                "clone(",
                "clone3(",
                RECORDS,
                "/etc/pipework",
            ] {
                assert!(!trace.contains(call), "{call}\n{trace}");
            }
            let calls = trace.lines().count();
            assert!(calls <= FEW, "{calls} system calls\n{trace}");
        }
        assert!(Records::take().is_empty());
    });
}
