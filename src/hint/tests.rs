//! Each refusal that has a cure is answered with what to change, and a guess is
//! no answer.

use std::path::PathBuf;

use nix::errno::Errno;

use super::*;
use crate::request::{IpvlanMode, MacAddr, MacvlanMode};
use crate::rt::{Address, Bridge, Ipvlan, LinkEnd, Macvlan, VethPair};

fn end(name: &str) -> LinkEnd {
    LinkEnd {
        ifindex: 1 << 20,
        name: name.parse().unwrap(),
        mac: MacAddr::local([2, 0, 0, 0, 0, 1]),
        mtu: "1500".parse().unwrap(),
        txqlen: None,
    }
}

fn veth() -> Step {
    Step::CreateVeth(VethPair {
        host: end("web0"),
        guest: end("eth1"),
    })
}

fn macvlan() -> Step {
    let macvlan = Macvlan {
        guest: end("eth1"),
        parent: 7,
        mode: MacvlanMode::Bridge,
    };
    let parent = "up0".parse().unwrap();
    Step::CreateMacvlan { macvlan, parent }
}

fn ipvlan() -> Step {
    let ipvlan = Ipvlan {
        guest: end("eth1"),
        parent: 7,
        mode: IpvlanMode::L2,
    };
    let parent = "up0".parse().unwrap();
    Step::CreateIpvlan { ipvlan, parent }
}

fn bridge(vlan_filtering: bool) -> Step {
    Step::CreateBridge(Bridge {
        ifindex: 1 << 20,
        name: "br7".parse().unwrap(),
        mac: MacAddr::local([2, 0, 0, 0, 0, 1]),
        vlan_filtering,
    })
}

fn join() -> Step {
    Step::JoinBridge {
        ifindex: 1 << 20,
        name: "web0".parse().unwrap(),
        bridge: 7,
        bridge_name: "br7".parse().unwrap(),
    }
}

fn address() -> Step {
    let address = Address {
        ifindex: 1 << 20,
        address: "fd00::5/64".parse().unwrap(),
        broadcast: None,
        lifetime: None,
    };
    let ifname = "eth1".parse().unwrap();
    Step::AddAddress { address, ifname }
}

fn route(via: Option<&str>) -> Step {
    let route = Route {
        ifindex: 1 << 20,
        destination: "10.7.0.0/16".parse().unwrap(),
        via: via.map(|via| via.parse().unwrap()),
        metric: None,
        table: None,
        source: None,
        onlink: false,
    };
    let (ifname, replaces) = ("eth1".parse().unwrap(), None);
    Step::AddRoute {
        route,
        ifname,
        replaces,
    }
}

#[test]
fn a_refusal_that_has_a_cure_names_what_to_change() {
    let table = [
        (veth(), Errno::EEXIST, "web0 already; pipework.hostif"),
        (veth(), Errno::EOPNOTSUPP, "modprobe veth"),
        (macvlan(), Errno::EBUSY, "up0 is a port of a bridge or bond"),
        (
            macvlan(),
            Errno::EINVAL,
            "mode passthru allows only one child",
        ),
        (macvlan(), Errno::EADDRINUSE, "leave pipework.mac out"),
        (macvlan(), Errno::EOPNOTSUPP, "modprobe macvlan"),
        (ipvlan(), Errno::EBUSY, "carries macvlan devices"),
        (ipvlan(), Errno::EOPNOTSUPP, "modprobe ipvlan"),
        (
            Step::CreateDummy(end("eth1")),
            Errno::EOPNOTSUPP,
            "modprobe dummy",
        ),
        (bridge(false), Errno::EOPNOTSUPP, "modprobe bridge"),
        (
            bridge(true),
            Errno::EOPNOTSUPP,
            "CONFIG_BRIDGE_VLAN_FILTERING",
        ),
        (join(), Errno::EXFULL, "br7 has 1,023 ports"),
        (address(), Errno::EACCES, "disable_ipv6"),
        (address(), Errno::EADDRINUSE, "ipvlan"),
        (
            route(Some("10.9.9.9")),
            Errno::ENETUNREACH,
            "is 10.9.9.9 in one of",
        ),
        (route(None), Errno::ENETUNREACH, "the interface must be up"),
        (route(None), Errno::EEXIST, "a metric"),
        (join(), Errno::EPERM, "CAP_NET_ADMIN"),
    ];
    for (step, errno, cure) in table {
        let hint = for_step(&step, Some(errno as i32)).unwrap_or_default();
        assert!(hint.contains(cure), "{step}, {errno}: {hint:?}");
    }
}

#[test]
fn what_was_never_seen_gets_no_guess() {
    for step in [
        veth(),
        macvlan(),
        bridge(true),
        join(),
        address(),
        route(None),
    ] {
        assert_eq!(for_step(&step, Some(Errno::ENOTTY as i32)), None, "{step}");
        assert_eq!(for_step(&step, None), None, "{step}");
    }
}

#[test]
fn a_container_that_cannot_be_had_and_a_store_that_cannot_be_kept_have_their_cures() {
    let container = [
        (ContainerError::Rootless, "run the container as root"),
        (ContainerError::HostNetwork, "--network none"),
        (
            ContainerError::NoPid { pid: None },
            "createRuntime and poststop",
        ),
        (
            ContainerError::Elsewhere {
                pid: 7,
                path: PathBuf::new(),
            },
            "hostPID",
        ),
    ];
    for (error, cure) in container {
        let hint = for_container(&error).unwrap_or_default();
        assert!(hint.contains(cure), "{error}: {hint:?}");
    }
    let path = || "/run/pipework/x".to_owned();
    let records = [
        (
            RecordError::NotOurs { path: path() },
            "chown root: /run/pipework/x",
        ),
        (RecordError::Locked { what: path() }, "state D"),
        (
            RecordError::Newer {
                path: path(),
                version: 9,
            },
            "reboot",
        ),
        (
            RecordError::Unreadable {
                path: path(),
                reason: String::new(),
            },
            "remove /run/pipework/x",
        ),
    ];
    for (error, cure) in records {
        let hint = for_record(&error).unwrap_or_default();
        assert!(hint.contains(cure), "{error}: {hint:?}");
    }
    let keeper = for_keeper(&KeeperError::Absent).unwrap_or_default();
    assert!(keeper.contains("pipework.socket"), "{keeper}");
}
