//! The other uplinks: each its own floor against the hook, in turns, beside one
//! container of its kind and beside many.
//!
//! A row is its name, what makes the uplink on the host, the words that floor.c
//! takes and the annotations that ask for the same. What is not to be had here is
//! skipped; in the virtual machine (tests/vm/bench) there is all of it, a network
//! card to hand over too.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::contestant;
use crate::crowd::{self, Holder};
use crate::error::BenchError;
use crate::options::Stage;
use crate::stopwatch::{self, Sample};
use crate::world::{BRIDGE, World};

/// Something to plug into.
#[derive(Clone, Copy, Debug)]
pub struct Uplink {
    /// The row's name.
    pub title: &'static str,
    /// Lines of shell that make it.
    furnish: &'static [&'static str],
    /// Lines that take it away.
    clear: &'static [&'static str],
    /// floor.c's KIND and UPLINK.
    pub floor: [&'static str; 2],
    /// What asks for it.
    pub annotations: &'static [(&'static str, &'static str)],
    /// There is one of it, so the others are on the bridge.
    is_single: bool,
    /// What ip(8) is told in the container's namespace when the floor is done.
    undo: &'static str,
}

const DELETE: &str = "link delete eth1";

/// What the great race uses; the world has it already.
pub const ON_BRIDGE: Uplink = Uplink {
    title: "bridge",
    furnish: &[],
    clear: &[],
    floor: ["bridge", BRIDGE],
    annotations: &[("pipework.bridge", BRIDGE)],
    is_single: false,
    undo: DELETE,
};

const NIC: [&str; 3] = [
    "ip link add up0 type veth peer name up0-peer",
    "ip link set up0-peer up",
    "ip link set up0 up",
];

/// The rows.
pub const ALL: &[Uplink] = &[
    ON_BRIDGE,
    Uplink {
        title: "macvlan",
        furnish: &NIC,
        clear: &["ip link del up0"],
        floor: ["macvlan", "up0"],
        annotations: &[("pipework.parent", "up0")],
        is_single: false,
        undo: DELETE,
    },
    Uplink {
        title: "ipvlan",
        furnish: &[
            NIC[0],
            NIC[1],
            NIC[2],
            "ip link add link up0 name probe type ipvlan mode l2",
            "ip link del probe",
        ],
        clear: &["ip link del up0"],
        floor: ["ipvlan", "up0"],
        annotations: &[("pipework.parent", "up0"), ("pipework.type", "ipvlan")],
        is_single: false,
        undo: DELETE,
    },
    Uplink {
        title: "dummy",
        furnish: &["ip link add probe type dummy", "ip link del probe"],
        clear: &[],
        floor: ["dummy", "none"],
        annotations: &[("pipework.dummy", "dummy")],
        is_single: false,
        undo: DELETE,
    },
    Uplink {
        title: "VLAN of a NIC",
        furnish: &[
            NIC[0],
            NIC[1],
            NIC[2],
            // Whether the kernel has any; ours is made by the hook.
            "ip link add link up0 name probe type vlan id 7",
            "ip link del probe",
        ],
        clear: &["ip link del up0"],
        floor: ["macvlan", "up0.100"],
        annotations: &[("pipework.parent", "up0"), ("pipework.vlan", "100")],
        is_single: false,
        undo: DELETE,
    },
    Uplink {
        title: "VLAN of a bridge",
        // A bridge without a way out is looked at anew by each start: there may be one.
        furnish: &[
            "ip link add br1 type bridge vlan_filtering 1",
            "ip link set br1 up",
            "ip link add up0 type bond",
            "ip link set up0 master br1",
            "ip link set up0 up",
        ],
        clear: &["ip link del up0", "ip link del br1"],
        floor: ["bridge-vlan=100", "br1"],
        annotations: &[("pipework.bridge", "br1"), ("pipework.vlan", "100")],
        is_single: false,
        undo: DELETE,
    },
    // Of the virtual machine, where we are in the initial namespace: a card comes
    // back to no other.
    Uplink {
        title: "device",
        furnish: &["ip link set nic1 up && ip link set nic0 down"],
        clear: &[],
        floor: ["device", "nic0"],
        annotations: &[("pipework.device", "nic0")],
        is_single: true,
        undo: "link set eth1 netns 1 name nic0",
    },
    Uplink {
        title: "virtual function",
        furnish: &[
            "ip link set nic3 up && ip link set nic2 up",
            "echo 1 >/sys/class/net/nic2/device/sriov_numvfs",
            "for i in $(seq 50); do
                 ip link set dev $(ls /sys/class/net/nic2/device/virtfn0/net) down name vf0 && exit
                 sleep 0.2
             done; exit 1",
        ],
        clear: &["echo 0 >/sys/class/net/nic2/device/sriov_numvfs"],
        floor: ["device", "vf0"],
        annotations: &[("pipework.device", "vf0")],
        is_single: true,
        undo: "link set eth1 netns 1 name vf0",
    },
];

/// The samples of one row.
#[derive(Debug, Default)]
pub struct Samples {
    /// floor.c.
    pub floor: Vec<Sample>,
    /// The hook.
    pub hook: Vec<Sample>,
}

/// Beside how many of its kind, and what that cost; or why there is nothing.
pub type Outcome = Result<Vec<(usize, Samples)>, &'static str>;

/// Times one uplink beside one container of its kind, and beside as many as the
/// stage says.
pub fn run(world: &World, uplink: Uplink, stage: Stage) -> Result<Outcome, BenchError> {
    if world.ours.is_none() {
        return Ok(Err("absent: target/release/pipework is not built"));
    }
    if !uplink.furnish.iter().all(|line| succeeds(line)) {
        clear(uplink);
        return Ok(Err("SKIP: not to be had here (tests/vm/bench has it)"));
    }
    // Nothing of those before is left to be swept while we time.
    if let Some(start) = contestant::gc(world) {
        stopwatch::time(world, &start)?;
    }
    let mut crowd = Vec::new();
    let mut outcome = Vec::new();
    for size in [1, stage.containers] {
        for index in crowd.len()..size {
            let holder = Holder::start(world, None)?;
            let theirs = if uplink.is_single { ON_BRIDGE } else { uplink };
            crowd::join(world, theirs, index, holder.pid())?;
            crowd.push(holder);
        }
        crowd::wait_until_quiet(Duration::from_secs(15));
        outcome.push((size, race(world, uplink, stage)?));
    }
    for (index, holder) in crowd.into_iter().enumerate() {
        drop(holder);
        if let Some(start) = contestant::detach(world, &format!("crowd{index}")) {
            stopwatch::time(world, &start)?;
        }
    }
    clear(uplink);
    Ok(Ok(outcome))
}

fn clear(uplink: Uplink) {
    for line in uplink.clear {
        succeeds(line);
    }
}

/// Both in turns, the second round the other way round.
fn race(world: &World, uplink: Uplink, stage: Stage) -> Result<Samples, BenchError> {
    const WARM_UP: usize = 3;
    let mut samples = Samples::default();
    let began = Instant::now();
    for round in 0..stage.rounds + WARM_UP {
        if began.elapsed() > stage.limit {
            break;
        }
        for turn in 0..2 {
            let is_floor = (round + turn) % 2 == 0;
            let sample = once(world, uplink, is_floor)?;
            let theirs = match is_floor {
                true => &mut samples.floor,
                false => &mut samples.hook,
            };
            if round >= WARM_UP {
                theirs.push(sample);
            }
        }
    }
    Ok(samples)
}

fn once(world: &World, uplink: Uplink, is_floor: bool) -> Result<Sample, BenchError> {
    let (name, address) = match is_floor {
        true => ("floor", "10.77.0.2"),
        false => ("pipework", "10.77.0.3"),
    };
    let netns = Path::new("/run/netns").join(name);
    let holder = Holder::start(world, Some(&netns))?;
    let start = match is_floor {
        true => Some(contestant::floor(
            world,
            uplink,
            &netns.to_string_lossy(),
            ("vfloor", address),
        )),
        false => contestant::attach(world, uplink, ("contestant", holder.pid()), address),
    };
    let start = start.ok_or_else(|| BenchError::Stopwatch("absent".into()))?;
    let sample = stopwatch::time(world, &start);
    drop(holder);
    let undo = format!("ip -n {name} {}", uplink.undo);
    if uplink.is_single {
        // It comes home with its namespace, and these namespaces stay.
        succeeds(&undo);
    }
    if !is_floor && let Some(start) = contestant::detach(world, "contestant") {
        stopwatch::time(world, &start)?;
    }
    // Gone already after our own detach.
    succeeds(&undo);
    std::thread::sleep(Duration::from_millis(20));
    sample
}

/// Whether a line of shell succeeds.
fn succeeds(line: &str) -> bool {
    let mut command = Command::new("sh");
    command.args(["-c", line]).stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
