//! The table of the shell script's command line (compat/table.txt) against
//! containers that runtimes run: every row that needs nothing which a world has
//! not, such as a network card or a server of DHCP.

use crate::faults::{Said, Sight, faults};
use crate::lan::{eventually, import_image, podman, sweep};
use crate::support::world::World;
use crate::table::{Case, cases};

/// As many rows at least are run against each runtime.
const FEWEST: usize = 50;

pub fn containers_of_crun_are_given_what_the_script_gave_them(world: &World) {
    every_row(world, &Bare("crun"));
}

pub fn containers_of_runc_are_given_what_the_script_gave_them(world: &World) {
    every_row(world, &Bare("runc"));
}

pub fn containers_of_podman_are_given_what_the_script_gave_them(world: &World) {
    import_image(world);
    every_row(world, &Podman);
}

/// Who runs the containers.
trait Runtime {
    /// Starts a container, and returns its first process.
    fn start(&self, world: &World, name: &str) -> String;
    /// Ends its first process, and keeps the container.
    fn stop(&self, world: &World, name: &str);
    /// Ends it.
    fn remove(&self, world: &World, name: &str);
}

struct Bare(&'static str);

impl Runtime for Bare {
    fn start(&self, world: &World, name: &str) -> String {
        let runtime = self.0;
        let line = format!(
            "{runtime} create --bundle /srv/c1 {name} >/tmp/{name}.log 2>&1 && {runtime} start {name} \
             && {runtime} state {name} | sed -n 's/.*\"pid\": \\([0-9]*\\).*/\\1/p'"
        );
        world.sh(&line).ok().trim().to_owned()
    }

    fn stop(&self, world: &World, name: &str) {
        let runtime = self.0;
        world.sh(&format!("{runtime} kill {name} KILL")).ok();
        let is_stopped = || {
            let state = world.sh(&format!("{runtime} state {name}")).ok();
            state.contains("\"stopped\"")
        };
        assert!(eventually(is_stopped));
    }

    fn remove(&self, world: &World, name: &str) {
        world.sh(&format!("{} delete -f {name}", self.0)).ok();
    }
}

struct Podman;

impl Runtime for Podman {
    fn start(&self, world: &World, name: &str) -> String {
        let run = "run -d --network none --name";
        let sleep = "localhost/bb:1 /bin/busybox sleep 600";
        podman(world, "crun", &format!("{run} {name} {sleep}")).ok();
        let pid = podman(
            world,
            "crun",
            &format!("inspect -f '{{{{.State.Pid}}}}' {name}"),
        );
        pid.ok().trim().to_owned()
    }

    fn stop(&self, world: &World, name: &str) {
        podman(world, "crun", &format!("stop -t 0 {name}")).ok();
    }

    fn remove(&self, world: &World, name: &str) {
        podman(world, "crun", &format!("rm -f -t 0 {name}")).ok();
    }
}

/// Whether a world has what a row needs.
fn fits(case: &Case) -> bool {
    let is_at_hand = |need: &String| ["no_docker", "tc"].contains(&need.as_str());
    let elsewhere = ["nic ", "lan ", "dhcp", "daemon", "docker"];
    let is_elsewhere = |line: &String| elsewhere.iter().any(|word| line.starts_with(word));
    case.needs.iter().all(is_at_hand) && !case.given.iter().any(is_elsewhere)
}

fn every_row(world: &World, runtime: &dyn Runtime) {
    // As in a lab: where it is installed a missing bridge may be one of its own.
    world
        .sh("rm -rf /etc/openvswitch /etc/alternatives/ovs-vswitchd $(command -v ovs-vswitchd ovs-vsctl)")
        .ok();
    world.bundle("c1", &[], &["/bin/busybox", "sleep", "600"]);
    runtime.start(world, "stopped");
    runtime.stop(world, "stopped");
    // The rows have addresses of the host's own network.
    world.sh("ip addr flush dev br0").ok();
    let links = links(world);
    let rows: Vec<Case> = cases().into_iter().filter(fits).collect();
    assert!(rows.len() >= FEWEST, "{} rows", rows.len());
    for case in &rows {
        judge(world, case, &runtime.start(world, "c1"));
        runtime.remove(world, "c1");
        sweep(world);
        clear(world, &links);
    }
    runtime.remove(world, "stopped");
}

/// Runs one row for the container whose first process is `pid`.
fn judge(world: &World, case: &Case, pid: &str) {
    let title = format!("case {}, {}", case.number, case.title);
    for line in &case.given {
        give(world, &line.replace("{pid}", pid), pid);
    }
    let before = state(world, pid);
    let words = case.run.iter().map(|word| word.replace("{pid}", pid));
    let words: Vec<String> = std::iter::once("pipework".to_owned())
        .chain(words)
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let output = world.run(&words);
    let said = Said {
        code: output.status.code(),
        stdout: output.stdout,
        stderr: output.stderr,
    };
    let faults = faults(case, &said, pid, &|sight, words| {
        let inside = nsenter(pid);
        let output = match sight {
            Sight::Host => world.sh(&format!("ip {words}")),
            Sight::Bridge => world.sh(&format!("bridge {words}")),
            Sight::Guest => world.sh(&format!("{inside} ip {words}")),
        };
        match output.status.success() {
            true => Ok(output.stdout),
            false => Err(output.stderr),
        }
    });
    let (out, err) = (said.stdout, said.stderr);
    assert!(faults.is_empty(), "{title}: {faults:#?}\n{out}{err}");
    if case.unchanged {
        assert_eq!(before, state(world, pid), "{title}");
    }
}

fn nsenter(pid: &str) -> String {
    format!("nsenter --target {pid} --net")
}

/// What is done before the run.
fn give(world: &World, line: &str, pid: &str) {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let line = match word {
        "inside" => format!("{} ip {rest}", nsenter(pid)),
        "pipework" => line.to_owned(),
        _ => format!("ip {line}"),
    };
    world.sh(&line).ok();
}

/// Devices, addresses of IPv4 and routes, on the host and inside: what the kernel
/// does to others by and by is none of them.
fn state(world: &World, pid: &str) -> String {
    let look = "ip -br link | cut -d' ' -f1; ip -4 -o addr; ip -4 route";
    let inside = nsenter(pid);
    world.sh(&format!("{look}; {inside} sh -c \"{look}\"")).ok()
}

fn links(world: &World) -> Vec<String> {
    let links = world.sh("ip -br link | cut -d' ' -f1 | cut -d@ -f1").ok();
    links.lines().map(str::to_owned).collect()
}

/// Takes away what a row has made on the host; what went with the container is
/// gone by and by.
fn clear(world: &World, before: &[String]) {
    let is_clear = || {
        let mut more = links(world);
        more.retain(|link| !before.contains(link));
        for link in &more {
            world.sh(&format!("ip link del {link}"));
        }
        more.is_empty()
    };
    assert!(eventually(is_clear));
}
