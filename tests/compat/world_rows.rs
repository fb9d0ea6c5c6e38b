//! Rows of the table, run one after another against containers of one runtime in a
//! world: whoever has a runtime says how its containers start and end, and which rows
//! it can take.

use crate::faults::{Said, Sight, faults};
use crate::given::{self, END};
use crate::support::world::World;
use crate::table::{Case, cases};
use crate::vswitch;

/// Who runs the containers.
pub trait Runtime {
    /// Starts a container, and returns its first process.
    fn start(&self, world: &World, name: &str) -> String;
    /// Ends its first process, and keeps the container.
    fn stop(&self, world: &World, name: &str);
    /// Ends it.
    fn remove(&self, world: &World, name: &str);
    /// Whether a start takes so long that one container is for many rows, and ours are
    /// taken back between them. Else each row sees them go with it.
    fn starts_slowly(&self) -> bool {
        false
    }
}

/// Runs every row that `fits`, of which there are `fewest` at least.
pub fn every_row(world: &World, runtime: &dyn Runtime, fits: fn(&Case) -> bool, fewest: usize) {
    runtime.start(world, "stopped");
    runtime.stop(world, "stopped");
    // The rows have a bridge of that name, and its addresses.
    world.sh("ip link del br0").ok();
    let rows = cases().into_iter().filter(fits);
    let (switched, others): (Vec<Case>, Vec<Case>) = rows.partition(|row| row.needs("ovs"));
    assert!(switched.len() + others.len() >= fewest, "too few rows");
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
    let mut began = None;
    for row in rows {
        let (pid, inside) = began.get_or_insert_with(|| {
            let pid = runtime.start(world, "c1");
            let inside = inside(world, &pid);
            (pid, inside)
        });
        judge(world, row, pid);
        let is_as_it_began = row.unchanged && row.given.is_empty();
        if is_as_it_began {
            continue;
        }
        if !(runtime.starts_slowly() && is_taken_back(world, pid, inside)) {
            began = None;
            runtime.remove(world, "c1");
        }
        clear(world, &links);
    }
    if began.is_some() {
        runtime.remove(world, "c1");
    }
}

/// Takes everything back by hand; whether the container is as it began then. What a
/// row did inside by itself may have stayed.
fn is_taken_back(world: &World, pid: &str, before: &str) -> bool {
    let records = "find /run/pipework/attachments -type f";
    let detach = format!("[ -z \"$({records})\" ] || pipework detach c1 || exit 1");
    world.sh(&format!("{detach}\n{}", look(pid))).ok() == before
}

/// All that a row may change inside.
fn inside(world: &World, pid: &str) -> String {
    world.sh(&look(pid)).ok()
}

fn look(pid: &str) -> String {
    let look = "ip link; ip addr; ip route show table all; ip -6 route show table all; ip rule";
    format!("{} sh -c \"{look}\"", nsenter(pid))
}

/// Runs one row for the container whose first process is `pid`.
fn judge(world: &World, case: &Case, pid: &str) {
    let case = &case.clone().filled(&[("{pid}", pid)]);
    let title = format!("case {}, {}", case.number, case.title);
    for line in &case.given {
        given::enter(world, line, &nsenter(pid));
    }
    let before = case.unchanged.then(|| state(world, pid));
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
    if let Some(before) = before {
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

/// Takes away what a row has made on the host; what went with the container is gone by
/// and by. All at once: each row waits for it.
fn clear(world: &World, before: &[String]) {
    let kept = before.join(" -e ");
    let more = format!("ip -br link | cut -d' ' -f1 | cut -d@ -f1 | grep -vxF -e {kept}");
    world
        .sh(&format!(
            "pipework gc || exit 1
             {END}
             for i in $(seq 600); do
                 more=$({more}) || exit 0
                 [ $i = 1 ] || sleep 0.05
                 for link in $more; do ip link del $link; done
             done
             exit 1"
        ))
        .ok();
}
