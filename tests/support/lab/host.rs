//! A second host beside the lab's own: a network namespace with a /run, so that
//! the hook runs there as it does here, with records of its own.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, setns, unshare};

use super::{Container, Lab, Outcome, PIPEWORK, feed, own_namespace};

/// Where another host is; its /run goes with it.
pub struct Host {
    /// Its network namespace, and a process in it.
    pub machine: Container,
}

impl Lab {
    /// Another host, with lo up and nothing else.
    pub fn host(&self, name: &str) -> Host {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        let netns = own_namespace();
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "unshare", "--mount", "sh", "-c"])
            .arg("mount -t tmpfs tmpfs /run && : > /run/ready && exec sleep 600")
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        // It dies with the thread that starts it.
        let init = command.spawn().unwrap();
        setns(&self.home, CloneFlags::CLONE_NEWNET).unwrap();
        let ready = format!("/proc/{}/root/run/ready", init.id());
        let begin = Instant::now();
        while !Path::new(&ready).exists() {
            assert!(begin.elapsed() < Duration::from_secs(20), "no other host");
            std::thread::sleep(Duration::from_millis(5));
        }
        let machine = Container::of(name, netns, init);
        self.inside(&machine, || super::ip("link set lo up"));
        Host { machine }
    }

    /// Does something on `host`.
    pub fn on<T>(&self, host: &Host, act: impl FnOnce() -> T) -> T {
        self.inside(&host.machine, act)
    }

    /// Runs `pipework hook --stage createRuntime` on `host` for `container`.
    pub fn attach_on(&self, host: &Host, container: &Container, asked: &[&str]) -> Outcome {
        let state = self.state(container, asked).to_string();
        let pid = host.machine.pid().to_string();
        let mut command = Command::new("nsenter");
        command
            .args(["--target", &pid, "--mount", "--net", PIPEWORK])
            .args(["hook", "--stage", "createRuntime"]);
        feed(&mut command, state.as_bytes())
    }
}
