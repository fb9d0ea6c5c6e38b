//! A hook that is killed in any system call leaves nothing that is not found.
//!
//! strace ends the real hook with SIGKILL at its k-th call, for growing k,
//! until it survives.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use serde_json::{Value, json};

use crate::ipvlan::needs_ipvlan;
use crate::kills::{Kills, LAST, TRACE};
use crate::macvlan::needs_macvlan;
use crate::support::lab::snapshot::{Records, Snapshot};
use crate::support::lab::{
    Container, Lab, Outcome, PIPEWORK, add_ipv6_address, bundle_of, feed, ip, ip_json, lab, run,
};
use crate::support::skip;
pub use crate::support::strace_works;
use crate::traffic::needs_limits;

/// Everything that changes the kernel or the store, and what stands between. C libraries
/// open by different calls, and not every processor has both (`?`).
const CALLS: &str = "sendto,sendmsg,setns,openat,?open,write,mkdir,rename,renameat,renameat2,\
                     symlink,symlinkat,unlink,unlinkat,rmdir,fcntl";
/// No run has so many of them.
pub const MANY: usize = 400;
const PATH: &str = "/run/netns-of-web";

const ASKED: [&str; 4] = [
    "pipework.0.bridge=br7",
    "pipework.0.ip=10.0.7.5/24@10.0.7.1",
    "pipework.1.bridge=br0",
    "pipework.1.ip=10.0.0.5/24,fd00::5/64",
];

/// What leaves more than a veth pair behind.
const LIMITED: [&str; 6] = [
    "pipework.bridge=br0",
    "pipework.ip=10.0.0.5/24",
    "pipework.rate.in=10mbit",
    "pipework.rate.out=10mbit",
    "pipework.spoofcheck=true",
    "pipework.isolate=true",
];

/// Runs the hook for `asked` until it makes one of its calls: with each greater `call`
/// a later one, by about as many as `call` has grown. strace counts each kind of call
/// by itself, so where the last run was killed says how many of each come before.
pub fn attach_killed_at(lab: &Lab, container: &Container, asked: &[&str], call: usize) -> Outcome {
    attach_killed_in(CALLS, lab, container, (asked, call))
}

/// The same for other `calls`.
pub fn attach_killed_in(
    calls: &str,
    lab: &Lab,
    container: &Container,
    (asked, call): (&[&str], usize),
) -> Outcome {
    let state = lab.state(container, asked).to_string();
    let (last, made) = Kills::known(asked, call);
    let mut command = Command::new("strace");
    command
        // Cargo's makes the loader look in many places first.
        .env_remove("LD_LIBRARY_PATH")
        .args(["-qq", "-o", TRACE, "-e", &format!("trace={calls}")]);
    for name in calls.split(',').map(str::trim) {
        let counted = name.trim_start_matches('?');
        let before = made.get(counted).copied().unwrap_or_default();
        let next = before + Kills::stride(counted, call - last);
        command.args(["-e", &format!("inject={name}:signal=SIGKILL:when={next}")]);
    }
    command.args([PIPEWORK, "hook", "--stage", "createRuntime"]);
    let outcome = feed(&mut command, state.as_bytes());
    fs::write(LAST, format!("{call} {asked:?}")).unwrap();
    Kills::note(made);
    outcome
}

/// The program, which is killed when it makes the number `call` of `calls`.
pub fn killed_at(calls: &str, call: usize) -> Command {
    killed(PIPEWORK, calls, call)
}

/// The same for `program`, wherever it is.
pub fn killed(program: &str, calls: &str, call: usize) -> Command {
    let mut command = Command::new("strace");
    command
        // Cargo's makes the loader look in many places first.
        .env_remove("LD_LIBRARY_PATH")
        .args(["-qq", "-o", "/dev/null", "-e", &format!("trace={calls}")])
        .args(["-e", &format!("inject={calls}:signal=SIGKILL:when={call}")])
        .arg(program);
    command
}

/// Whether the hook was killed; it has success otherwise.
#[track_caller]
pub fn was_killed(outcome: &Outcome) -> bool {
    let killed = outcome.0.status.signal() == Some(9) || outcome.code() == Some(128 + 9);
    assert!(killed || outcome.code() == Some(0), "{}", outcome.stderr());
    killed
}

/// A bridge of ours that is empty goes only after a minute; it is one.
pub fn age_bridges() {
    for path in Records::take().of("shared") {
        let mut record: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        record["empty_since"] = Value::from(0);
        fs::write(path, record.to_string()).unwrap();
    }
}

/// Has the bundle of the container web name a path for its namespace.
pub fn name_path() {
    fs::create_dir_all(bundle_of("web")).unwrap();
    let namespace = json!({ "type": "network", "path": PATH });
    let config = json!({ "linux": { "namespaces": [namespace] } });
    fs::write(bundle_of("web").join("config.json"), config.to_string()).unwrap();
    fs::write(PATH, "").unwrap();
}

/// Keeps the namespace of `container` by that path, until [`let_go`].
pub fn keep_by_path(container: &Container) {
    let pid = container.pid();
    run("mount", &format!("--bind /proc/{pid}/ns/net {PATH}"));
}

/// Unmounts it.
pub fn let_go() {
    run("umount", PATH);
}

/// Kills the hook for `asked` in every second call from `first`, and after each
/// time runs `round`, which says whether to go on. The container's namespace
/// outlives it, by a path in its bundle's config.json.
pub fn at_every_second_call(
    lab: &Lab,
    asked: &[&str],
    first: usize,
    round: impl Fn(&Lab, Container, &Snapshot, bool) -> bool,
) {
    in_every_second_call(lab, asked, first, |lab| lab.container("web"), round);
}

/// The same for the containers that `make` makes, of the id web.
pub fn in_every_second_call(
    lab: &Lab,
    asked: &[&str],
    first: usize,
    make: impl Fn(&Lab) -> Container,
    round: impl Fn(&Lab, Container, &Snapshot, bool) -> bool,
) {
    name_path();
    let (host, records) = (lab.snapshot(), Records::take());
    let mut kills = 0;
    for call in (first..MANY).step_by(2) {
        let container = make(lab);
        keep_by_path(&container);
        let guest = lab.snapshot_of(&container);
        let killed = was_killed(&attach_killed_at(lab, &container, asked, call));
        kills += usize::from(killed);
        let goes_on = round(lab, container, &guest, killed);
        host.assert_equal(&lab.snapshot(), &format!("host, call {call}"));
        records.assert_equal(&Records::take(), &format!("store, call {call}"));
        let_go();
        if !goes_on {
            assert!(kills > 1, "it survived all but {kills}");
            return;
        }
    }
    panic!("the hook never survived");
}

/// The container is killed as well, and `pipework gc` clears up.
pub fn collected(lab: &Lab, mut container: Container, guest: &Snapshot, killed: bool) -> bool {
    container.kill();
    lab.gc().ok();
    // What was complete ends in good order, and its bridge stays for a while.
    age_bridges();
    lab.gc().ok();
    guest.assert_equal(&lab.snapshot_of(&container), "container");
    killed
}

/// The runtime tries once more, and what comes of that is complete.
fn tried_again(lab: &Lab, mut container: Container, guest: &Snapshot, killed: bool) -> bool {
    lab.attach(&container, &ASKED).ok();
    let ports = |bridge: &str| {
        let ports = ip_json(&format!("link show master {bridge}"));
        ports.as_array().unwrap().len()
    };
    assert_eq!((ports("br7"), ports("br0")), (1, 2));
    lab.inside(&container, || {
        let shown = ip_json("addr show scope global").to_string();
        for address in ["10.0.7.5", "10.0.0.5", "fd00::5"] {
            assert!(shown.contains(address), "{address}: {shown}");
        }
        assert_eq!(ip_json("route show default")[0]["gateway"], "10.0.7.1");
    });
    container.kill();
    lab.poststop("web").ok();
    age_bridges();
    lab.gc().ok();
    guest.assert_equal(&lab.snapshot_of(&container), "container");
    killed
}

#[test]
fn what_a_killed_hook_left_is_cleared_up_by_later_starts() {
    if !strace_works() {
        skip!("there is no strace that may trace");
    }
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let before = lab.snapshot();
        for call in (20..70).step_by(7) {
            let container = lab.container("web");
            if !was_killed(&attach_killed_at(lab, &container, &ASKED, call)) {
                assert!(call > 20, "it was never killed");
                break;
            }
            container.end();
            let mut starts = 0;
            while !Records::take().of("attachments").is_empty() {
                starts += 1;
                assert!(starts <= 64, "call {call}: {:?}", Records::take());
                let other = lab.any_container();
                lab.attach(&other, &["pipework.bridge=br0"]).ok();
                let id = other.id.clone();
                other.end();
                lab.poststop(&id).ok();
            }
            // A bridge that was made to the end stays for a minute.
            age_bridges();
            lab.gc().ok();
            assert!(
                Records::take().is_empty(),
                "call {call}: {:?}",
                Records::take()
            );
            before.assert_equal(&lab.snapshot(), &format!("host, call {call}"));
        }
    });
}

macro_rules! killed_in_every_second_call {
    ($($name:ident: $first:literal $asked:ident $round:ident;)*) => { $(
        #[test]
        fn $name() {
            if !strace_works() {
                skip!("there is no strace that may trace");
            }
            lab!(|lab| {
                if $asked.len() == LIMITED.len() {
                    needs_limits!();
                }
                let _machine = lab.lan("br0");
                at_every_second_call(lab, &$asked, $first, $round)
            });
        }
    )* };
}

// Two tests each, so that both processors have something to do.
killed_in_every_second_call! {
    a_hook_killed_in_an_odd_call_is_cleared_up_by_gc: 1 ASKED collected;
    a_hook_killed_in_an_even_call_is_cleared_up_by_gc: 2 ASKED collected;
    a_hook_killed_in_an_odd_call_can_be_run_again: 1 ASKED tried_again;
    a_hook_killed_in_an_even_call_can_be_run_again: 2 ASKED tried_again;
    a_hook_that_limits_killed_in_an_odd_call_is_cleared_up_by_gc: 1 LIMITED collected;
    a_hook_that_limits_killed_in_an_even_call_is_cleared_up_by_gc: 2 LIMITED collected;
}

/// A bridge that was made by a start which was killed, and that people use by now.
#[test]
fn a_bridge_of_a_killed_start_stays_once_somebody_gave_it_an_address() {
    if !strace_works() {
        skip!("there is no strace that may trace");
    }
    lab!(|lab| {
        let asked = ["pipework.bridge=br7"];
        for call in 1..MANY {
            let container = lab.container("web");
            let killed = was_killed(&attach_killed_at(lab, &container, &asked, call));
            assert!(killed, "the bridge was never there alone");
            if ip("-brief link").contains("br7") {
                ip("addr add 192.0.2.1/24 dev br7");
                container.end();
                lab.gc().ok();
                let kept = ip_json("addr show br7").to_string();
                assert!(kept.contains("192.0.2.1"), "{kept}");
                let records = Records::take();
                let left = records.of("attachments");
                assert!(left.is_empty(), "{left:?}");
                return;
            }
            container.end();
            lab.gc().ok();
        }
    });
}

/// A NIC on which the host has addresses, and a hook on it that is killed in
/// every second call from `first`, with all that goes beside addresses.
fn with_a_way_to_the_host(lab: &Lab, uplink: &[&str], first: usize) {
    let _machine = lab.nic("up1");
    ip("addr add 10.0.0.1/24 dev up1");
    add_ipv6_address("fd01::1", "up1");
    let rest = [
        "pipework.parent=up1",
        "pipework.host-access=true",
        "pipework.ip=10.0.0.5/24,10.7.0.5/32,fd01::5/64@10.0.0.2",
        "pipework.rule=from 10.0.0.5 lookup 100; from fd01::5 lookup 101",
        "pipework.sbr=true",
    ];
    at_every_second_call(lab, &[uplink, &rest].concat(), first, collected);
}

#[test]
fn a_way_between_host_and_macvlan_is_cleared_up_by_gc() {
    if !strace_works() {
        skip!("there is no strace that may trace");
    }
    for first in [1, 2] {
        lab!(move |lab| {
            needs_macvlan!();
            with_a_way_to_the_host(lab, &[], first);
        });
    }
}

#[test]
fn a_way_between_host_and_ipvlan_is_cleared_up_by_gc() {
    if !strace_works() {
        skip!("there is no strace that may trace");
    }
    for first in [1, 2] {
        lab!(move |lab| {
            needs_ipvlan!();
            with_a_way_to_the_host(lab, &["pipework.type=ipvlan"], first);
        });
    }
}
