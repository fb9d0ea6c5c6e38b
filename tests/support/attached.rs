//! strace, attached to a program that runs already.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

/// Has strace end the process `pid` when one of its threads calls `name` for the
/// `count`th time from now. strace looks for threads once, and misses one that another
/// begins meanwhile: then it tries again. Whoever calls this waits for it.
pub fn kill_at(pid: u32, at: (&str, usize)) -> Child {
    for _ in 0..30 {
        let mut strace = attach(pid, at);
        for _ in 0..200 {
            if is_traced(pid) {
                return strace;
            }
            sleep(Duration::from_millis(10));
        }
        let _ = strace.kill();
        strace.wait().unwrap();
    }
    panic!("strace does not trace within a minute");
}

fn attach(pid: u32, (name, count): (&str, usize)) -> Child {
    Command::new("strace")
        .env_remove("LD_LIBRARY_PATH")
        .args(["-f", "-qq", "-o", "/dev/null", "-p", &pid.to_string()])
        .args(["-e", &format!("trace={name}")])
        .args(["-e", &format!("inject={name}:signal=SIGKILL:when={count}")])
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn is_traced(pid: u32) -> bool {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    tasks.flatten().all(|task| {
        let status = fs::read_to_string(task.path().join("status")).unwrap_or_default();
        !status.contains("TracerPid:\t0\n")
    })
}
