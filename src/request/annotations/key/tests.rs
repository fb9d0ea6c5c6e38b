//! The golden table of odd keys.

use super::*;

#[test]
fn odd_keys_are_taken_apart_as_documented() {
    let name = |name: &str| Selector::Name(name.parse().unwrap());
    for (key, selector, field, rest) in [
        ("pipework.ip", Selector::Single, "ip", ""),
        ("pipework.0.ip", Selector::Number(0), "ip", ""),
        ("pipework.99.ip", Selector::Number(99), "ip", ""),
        ("pipework.eth0.100.ip", name("eth0.100"), "ip", ""),
        (
            "pipework.eth1.sysctl.ipv4.conf.arp_ignore",
            name("eth1"),
            "sysctl.ipv4.conf",
            "ipv4.conf.arp_ignore",
        ),
        ("pipework.rate.in", Selector::Single, "rate.in", ""),
        ("pipework.eth1.rate.in", name("eth1"), "rate.in", ""),
        ("pipework.device", Selector::Single, "device", ""),
        (
            "pipework.device.force",
            Selector::Single,
            "device.force",
            "",
        ),
        ("pipework.ETH0.ip", name("ETH0"), "ip", ""),
        ("pipework.cmd.0.ip", Selector::Single, "cmd", "0.ip"),
        (
            "pipework.3.ovs.external-ids.a.ip",
            Selector::Number(3),
            "ovs.external-ids",
            "a.ip",
        ),
    ] {
        let parts = parse(key).unwrap();
        assert_eq!(
            (parts.selector, parts.field.stem(), parts.rest),
            (selector, field, rest),
            "{key}"
        );
    }
}

#[test]
fn odd_keys_are_refused_as_documented() {
    for (key, error) in [
        ("pipework.", "annotation key pipework. has an empty part"),
        (
            "pipework..ip",
            "annotation key pipework..ip has an empty part",
        ),
        (
            "pipework.ip.",
            "annotation key pipework.ip. has an empty part",
        ),
        (
            "pipework.100.ip",
            "annotation key pipework.100.ip: interfaces are numbered 0 to 99 without leading zeros, not 100",
        ),
        (
            "pipework.00.ip",
            "annotation key pipework.00.ip: interfaces are numbered 0 to 99 without leading zeros, not 00",
        ),
        (
            "pipework.IP",
            "annotation key pipework.IP names no field of pipework; did you mean pipework.ip",
        ),
        (
            "pipework.0.brige",
            "annotation key pipework.0.brige names no field of pipework; did you mean pipework.0.bridge",
        ),
        (
            "pipework.0",
            "annotation key pipework.0 names no field of pipework",
        ),
        (
            "pipework.ip.mac",
            "annotation key pipework.ip.mac: ip is a field, so it cannot stand for an interface",
        ),
        (
            "pipework.ip[0]",
            "annotation key pipework.ip[0] contains '['; allowed are letters, digits, '.', '_' and '-'",
        ),
        (
            "pipework.lo.ip",
            "annotation key pipework.lo.ip: lo cannot be the name of an interface of ours: the kernel uses it itself",
        ),
        (
            "pipework.ovs.external-ids",
            "annotation key pipework.ovs.external-ids names no field of pipework",
        ),
    ] {
        assert_eq!(parse(key).unwrap_err().to_string(), error);
    }
}
