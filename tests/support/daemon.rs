//! `pipework daemon` of a lab, for tests that need a lease to be kept and are not
//! about who keeps it.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use pipework::deadline::Deadline;
use pipework::keeper;

use super::lab::PIPEWORK;

/// It runs, and is killed when this goes.
pub struct Daemon(Child);

impl Daemon {
    /// Starts one, and waits until it listens.
    pub fn start() -> Self {
        // It dies with the thread of the test.
        let daemon = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", PIPEWORK, "daemon"])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let daemon = Self(daemon);
        let listens = || keeper::is_there(Deadline::after(Duration::from_secs(5)));
        assert!((0..1000).any(|_| {
            std::thread::sleep(Duration::from_millis(10));
            listens()
        }));
        daemon
    }

    /// Stops it, as a debugger does: it is there, and does nothing.
    pub fn stop(&self) {
        let pid = nix::unistd::Pid::from_raw(self.0.id() as i32);
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGSTOP).unwrap();
    }

    /// The namespaces and sockets that it has open.
    pub fn held(&self) -> Vec<String> {
        let directory = format!("/proc/{}/fd", self.0.id());
        let entries = std::fs::read_dir(directory).unwrap().flatten();
        let links = entries.filter_map(|entry| std::fs::read_link(entry.path()).ok());
        let mut held: Vec<String> = links.map(|link| link.display().to_string()).collect();
        held.retain(|file| file.starts_with("net:") || file.starts_with("socket:"));
        held
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}
