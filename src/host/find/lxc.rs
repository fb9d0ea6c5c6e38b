//! Containers of LXC, Incus and LXD: running ones by the cgroup that liblxc
//! makes for each, `lxc.payload.NAME`, others by the folder of their
//! configuration.

use std::path::{Path, PathBuf};

use super::files;
use super::{Candidate, Engine, State};

/// What liblxc calls a container's cgroup (`lxc.payload`, src/lxc/cgroups).
const PAYLOAD: &str = "lxc.payload.";
/// Where Proxmox VE puts those cgroups, each called by its container's number
/// (`lxc.cgroup.dir.container`), and liblxc did before 4.0.
const NESTED: &str = "lxc";
/// Where the unified hierarchy is, and with cgroup v1 two that every container
/// is in.
const HIERARCHIES: [&str; 3] = [
    "sys/fs/cgroup",
    "sys/fs/cgroup/pids",
    "sys/fs/cgroup/systemd",
];
const PLACES: [(&str, Engine); 4] = [
    ("var/lib/lxc", Engine::Lxc),
    ("var/lib/incus/containers", Engine::Incus),
    ("var/lib/lxd/containers", Engine::Incus),
    ("var/snap/lxd/common/lxd/containers", Engine::Incus),
];
/// How deep a container's first process may lie below its cgroup: systemd moves
/// itself into init.scope.
const DEPTH: usize = 3;

/// Every container that runs or is configured.
pub fn list(root: &Path) -> Vec<Candidate> {
    let mut found: Vec<Candidate> = Vec::new();
    for (place, engine) in PLACES {
        for (name, path) in files::entries(&root.join(place)) {
            let is_one = path.join("config").exists() || path.join("rootfs").exists();
            if is_one || engine == Engine::Incus {
                found.push(container(engine, name, State::Stopped));
            }
        }
    }
    for (name, cgroup) in HIERARCHIES.iter().flat_map(|h| cgroups(&root.join(h))) {
        let Some(pid) = first_process(&cgroup, DEPTH) else {
            continue;
        };
        match found.iter_mut().find(|known| known.id == name) {
            Some(known) => known.state = State::Running(pid),
            None => found.push(container(Engine::Lxc, name, State::Running(pid))),
        }
    }
    found
}

/// The cgroups of containers in a hierarchy, by their names.
fn cgroups(hierarchy: &Path) -> Vec<(String, PathBuf)> {
    let flat = files::entries(hierarchy).into_iter();
    let flat = flat.filter_map(|(name, path)| Some((name.strip_prefix(PAYLOAD)?.to_owned(), path)));
    let nested = files::entries(&hierarchy.join(NESTED)).into_iter();
    flat.chain(nested.filter(|(_, path)| path.is_dir()))
        .collect()
}

fn container(engine: Engine, id: String, state: State) -> Candidate {
    Candidate {
        engine,
        id,
        name: None,
        state,
        place: PathBuf::new(),
    }
}

/// The process in a cgroup, or below it, that is pid 1 in its own pid namespace.
fn first_process(cgroup: &Path, depth: usize) -> Option<i32> {
    let pids = files::text(&cgroup.join("cgroup.procs")).unwrap_or_default();
    let mut pids = pids.lines().filter_map(|line| line.trim().parse().ok());
    if let Some(pid) = pids.find(|pid| is_init(*pid)) {
        return Some(pid);
    }
    if depth == 0 {
        return None;
    }
    let below = files::entries(cgroup);
    let mut folders = below.iter().filter(|(_, path)| path.is_dir());
    folders.find_map(|(_, path)| first_process(path, depth - 1))
}

/// `NSpid:` of /proc/PID/status ends with the pid in the innermost namespace, and
/// holds two: a container in the container has more.
fn is_init(pid: i32) -> bool {
    let status = files::text(&PathBuf::from(format!("/proc/{pid}/status"))).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
    let pids: Vec<&str> = line.unwrap_or_default().split_whitespace().collect();
    pids.len() == 2 && pids.last() == Some(&"1")
}
