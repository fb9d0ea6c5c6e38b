//! A start that stands still at one of its calls, while something happens that only
//! then can go wrong.

use std::fs;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::support::lab::{Outcome, PIPEWORK};
use crate::support::ovs::eventually;

const TRACE: &str = "/run/trace";

/// Starts a container by its `state`. Behind the first of the `calls`, which strace is
/// told of so, it stands still until `meanwhile` has had the trace and is done.
pub fn start(state: &Value, calls: &[&str], meanwhile: impl FnOnce(&str)) -> Outcome {
    let mut hook = Command::new("strace")
        .env_remove("LD_LIBRARY_PATH")
        .args(["-qq", "-f", "-o", TRACE])
        .args(calls)
        .args([PIPEWORK, "hook", "--stage", "createRuntime"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = hook.stdin.take().unwrap();
    stdin.write_all(state.to_string().as_bytes()).unwrap();
    drop(stdin);
    let trace = || fs::read_to_string(TRACE).unwrap_or_default();
    eventually("the hook stands still", || {
        trace().contains("stopped by SIGSTOP")
    });
    let trace = trace();
    // Whatever comes of it, nothing stands still afterwards.
    let done = catch_unwind(AssertUnwindSafe(|| meanwhile(&trace)));
    let pid = trace.split_whitespace().next().unwrap().parse().unwrap();
    kill(Pid::from_raw(pid), Signal::SIGCONT).unwrap();
    let outcome = Outcome(hook.wait_with_output().unwrap());
    done.unwrap_or_else(|panic| resume_unwind(panic));
    outcome
}
