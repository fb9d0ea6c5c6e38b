//! The table of the shell script's command line (compat/table.txt) against
//! containers that runtimes run: every row that needs nothing which a world has
//! not, such as a network card of its own; compat/mod.rs says where the others run.

use crate::faults::{Said, Sight, faults};
use crate::given;
use crate::lan::{eventually, import_image, podman, sweep};
use crate::support::world::World;
use crate::table::{Case, cases};
use crate::vswitch;

/// As many rows at least are run against each runtime.
const FEWEST: usize = 65;

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

fn every_row(world: &World, runtime: &dyn Runtime) {
    world.bundle("c1", &[], &["/bin/busybox", "sleep", "600"]);
    runtime.start(world, "stopped");
    runtime.stop(world, "stopped");
    // The rows have a bridge of that name, and its addresses.
    world.sh("ip link del br0").ok();
    let rows = cases().into_iter().filter(Case::fits_a_world);
    let (switched, others): (Vec<Case>, Vec<Case>) = rows.partition(|row| row.needs("ovs"));
    assert!(switched.len() + others.len() >= FEWEST, "too few rows");
    vswitch::start(world, &[]);
    each(world, runtime, &switched);
    vswitch::stop(world);
    // As in a lab: where it is installed a missing bridge may be one of its own.
    world
        .sh("rm -rf /etc/openvswitch /etc/alternatives/ovs-vswitchd $(command -v ovs-vswitchd ovs-vsctl)")
        .ok();
    each(world, runtime, &others);
    runtime.remove(world, "stopped");
}

/// Runs rows one after another, each for a container that is as it began.
fn each(world: &World, runtime: &dyn Runtime, rows: &[Case]) {
    let links = links(world);
    let mut pid = None;
    for row in rows {
        judge(
            world,
            row,
            pid.get_or_insert_with(|| runtime.start(world, "c1")),
        );
        let is_as_it_began = row.unchanged && row.given.is_empty();
        if is_as_it_began {
            continue;
        }
        pid = None;
        runtime.remove(world, "c1");
        sweep(world);
        given::end(world);
        clear(world, &links);
    }
    if pid.is_some() {
        runtime.remove(world, "c1");
    }
}

/// Runs one row for the container whose first process is `pid`.
fn judge(world: &World, case: &Case, pid: &str) {
    let case = &case.clone().filled(&[("{pid}", pid)]);
    let title = format!("case {}, {}", case.number, case.title);
    for line in &case.given {
        given::enter(world, line, &nsenter(pid));
    }
    let before = state(world, pid);
    let words = std::iter::once("pipework");
    let words: Vec<&str> = words.chain(case.run.iter().map(String::as_str)).collect();
    let output = world.run(&words);
    let said = Said {
        code: output.status.code(),
        stdout: output.stdout,
        stderr: output.stderr,
    };
    let faults = faults(case, &said, &|sight, words| {
        let inside = nsenter(pid);
        let output = match sight {
            Sight::Host => world.sh(&format!("ip {words}")),
            Sight::Bridge => world.sh(&format!("bridge {words}")),
            Sight::Switch => world.sh(&format!("ovs-vsctl --timeout=30 {words}")),
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
