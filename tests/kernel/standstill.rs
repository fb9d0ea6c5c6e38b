//! A start that stands still at one of its calls, while something happens that only
//! then can go wrong.

use std::fs;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::{Child, Command, Stdio};
use std::thread;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::support::lab::{Outcome, PIPEWORK};
use crate::support::ovs::eventually;

const TRACE: &str = "/run/trace";

/// Starts a container by its `state`. Behind the first of the `calls`, which strace is
/// told of so, it stands still until `meanwhile` has had the trace and is done.
pub fn start(state: &Value, calls: &[&str], meanwhile: impl FnOnce(&str)) -> Outcome {
    signalled(Signal::SIGCONT, (state, calls), meanwhile)
}

/// The same, and then it is killed.
pub fn killed(state: &Value, calls: &[&str], meanwhile: impl FnOnce(&str)) -> Outcome {
    signalled(Signal::SIGKILL, (state, calls), meanwhile)
}

fn signalled(
    signal: Signal,
    (state, calls): (&Value, &[&str]),
    meanwhile: impl FnOnce(&str),
) -> Outcome {
    let hook = begin(state, calls);
    eventually("the hook stands still", || stops() > 0);
    let done = while_it_stands(signal, meanwhile);
    let outcome = Outcome(hook.wait_with_output().unwrap());
    done.unwrap_or_else(|panic| resume_unwind(panic));
    outcome
}

/// Starts one that stands still behind each of the `calls`.
pub fn start_step_by_step(
    state: &Value,
    calls: &[&str],
    mut meanwhile: impl FnMut(&str),
) -> Outcome {
    let mut hook = begin(state, calls);
    let mut seen = 0;
    let mut done = Ok(());
    loop {
        let mut has_ended = false;
        eventually("the hook stands still, or has ended", || {
            has_ended = hook.try_wait().unwrap().is_some();
            has_ended || stops() > seen
        });
        if has_ended {
            break;
        }
        seen = stops();
        done = done.and(while_it_stands(Signal::SIGCONT, &mut meanwhile));
    }
    done.unwrap_or_else(|panic| resume_unwind(panic));
    Outcome(hook.wait_with_output().unwrap())
}

fn begin(state: &Value, calls: &[&str]) -> Child {
    // That of a former one says that it stands still as well.
    let _ = fs::remove_file(TRACE);
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
    hook
}

fn trace() -> String {
    fs::read_to_string(TRACE).unwrap_or_default()
}

fn stops() -> usize {
    trace().matches("stopped by SIGSTOP").count()
}

/// Does something, and sends `signal` to the start that stands still; SIGKILL where
/// `meanwhile` panics, so that nothing stands still afterwards.
fn while_it_stands(signal: Signal, meanwhile: impl FnOnce(&str)) -> thread::Result<()> {
    let trace = trace();
    let done = catch_unwind(AssertUnwindSafe(|| meanwhile(&trace)));
    let pid = trace.split_whitespace().next().unwrap().parse().unwrap();
    let signal = done.as_ref().map_or(Signal::SIGKILL, |()| signal);
    kill(Pid::from_raw(pid), signal).unwrap();
    done
}
