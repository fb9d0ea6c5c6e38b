//! What lines mean, and how those that mean nothing are refused.

use super::*;

fn parse(line: &str) -> Result<Line, String> {
    let value = |what| match what {
        Macro::Name => Some("web".to_owned()),
        Macro::Id | Macro::Hostname => None,
    };
    Line::parse(line, &value).map_err(|error| error.to_string())
}

/// The fields of an interface, as `field=value field=value`.
fn fields(line: &str) -> String {
    match parse(line) {
        Ok(Line::Interface(pairs)) => {
            let pairs = pairs.iter();
            let pairs = pairs.map(|(key, value)| format!("{key}={value}"));
            pairs.collect::<Vec<_>>().join(" ")
        }
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn a_line_is_an_interface_in_the_fields_of_annotations() {
    for (line, means) in [
        ("br1 192.168.1.1/24", "link=br1 ip=192.168.1.1/24"),
        (
            "br1 -i eth2 192.168.1.5/24@192.168.1.1 02:00:00:00:00:05@100",
            "link=br1 ifname=eth2 mac=02:00:00:00:00:05 vlan=100 ip=192.168.1.5/24@192.168.1.1",
        ),
        ("br1 0/0 -l web0 @20", "link=br1 hostif=web0 vlan=20 ip=0/0"),
        ("ovs0 10.4.1.1/24@ @", "link=ovs0 ip=10.4.1.1/24"),
        (
            "mac:02:00:00:00:00:99 10.0.0.5/24",
            "link=mac:02:00:00:00:00:99 ip=10.0.0.5/24",
        ),
        ("eth5 -a inet6 fd00::5/64", "link=eth5 ip=fd00::5/64"),
        (
            "--direct-phys eth6 10.0.0.5/24",
            "device=eth6 device.force=true ip=10.0.0.5/24",
        ),
        (
            "eth6 10.0.0.5/24 @7 --direct-phys",
            "device=eth6 vlan=7 ip=10.0.0.5/24",
        ),
        (
            "--ensure --dad br1 10.0.0.5/24",
            "link=br1 dad=arp ip=10.0.0.5/24",
        ),
        ("dummy 10.0.0.5/24", "link=dummy ip=10.0.0.5/24"),
        (
            "ib0 10.0.0.5/24 @8001",
            "ipoib=ib0 ipoib.pkey=0x8001 ip=10.0.0.5/24",
        ),
        ("ibp1s0 0/0", "ipoib=ibp1s0 ip=0/0"),
        ("ibr-lan 0/0", "link=ibr-lan ip=0/0"),
    ] {
        assert_eq!(fields(line), means, "{line}");
    }
}

#[test]
fn a_client_is_asked_for_by_any_of_its_names_and_told_what_it_knows() {
    for (line, means) in [
        ("br1 dhcp", "link=br1 ip=dhcp"),
        ("br1 dhclient-f U:x", "link=br1 mac=U:x ip=dhcp"),
        ("br1 dhcp -a 6", "link=br1 ip=dhcp6"),
        (
            "br1 'udhcpc:-x hostname:db -R'",
            "link=br1 ip=dhcp dhcp.hostname=db dhcp.release=true",
        ),
        (
            "br1 \"dhcpcd:-h @CONTAINER_NAME@\"",
            "link=br1 ip=dhcp dhcp.hostname=web",
        ),
    ] {
        assert_eq!(fields(line), means, "{line}");
    }
}

#[test]
fn a_macro_is_expanded_in_any_word() {
    let means = "link=br1 mac=U:web vlan=5 ip=0/0";
    assert_eq!(fields("br1 0/0 U:@CONTAINER_NAME@@5"), means);
}

#[test]
fn a_line_may_be_pasted_with_the_programs_name() {
    let means = "link=br1 ip=10.0.0.5/24";
    assert_eq!(fields("pipework br1 10.0.0.5/24"), means);
}

#[test]
fn what_makes_no_sense_in_a_container_that_starts_is_named() {
    for (line, error) in [
        (
            "br1 web 10.0.0.5/24",
            "web stands in the container's place, and the line is about its own: leave it out",
        ),
        (
            "pipework br1 web 10.0.0.5",
            "web stands in the container's place, and the line is about its own: leave it out",
        ),
        (
            "br0 pool:lan,10.0.0.5/24",
            "a line has no addresses of pools",
        ),
        ("route", "route needs a value"),
        (
            "br1 @CONTAINER_NAME@ dhcp",
            "web stands in the container's place, and the line is about its own: leave it out",
        ),
        (
            "route web add 10.1.0.0/16 via 10.0.0.2",
            "web stands in the container's place, and the line is about its own: leave it out",
        ),
        (
            "tc web qdisc add dev eth1 root netem loss 30%",
            "web stands in the container's place, and the line is about its own: leave it out",
        ),
        ("--wait -i eth2", "--wait is for the command line"),
        (
            "br1 10.0.0.5/24 --timeout 3",
            "--timeout is for the command line",
        ),
        (
            "br1 -x 10.0.0.5/24",
            "-x is no option: -i, -l, -a, --direct-phys, --ensure and --dad are",
        ),
        ("br1 10.0.0.5/24 -i", "-i needs a value"),
        ("br1 'udhcpc:-x hostname:'", "dhcp.hostname needs a value"),
        (
            "br1 'udhcpc:-s /x'",
            "the built-in client has no option like udhcpc's -s",
        ),
        (
            "br1 10.0.0.5/24 @5 more",
            "more means nothing behind the others",
        ),
        (
            "br1",
            "an interface and an address are needed, such as br0 10.0.0.5/24",
        ),
        (
            "br1 10.0.0.5",
            "10.0.0.5 has no prefix length; maybe you meant 10.0.0.5/24",
        ),
        (
            "br1 -a 6 10.0.0.5/24",
            "-a 6 does not go with 10.0.0.5/24: it is 4 or 6, and can be left out",
        ),
    ] {
        assert_eq!(parse(line).unwrap_err(), error, "{line}");
    }
}

#[test]
fn route_rule_and_tc_are_read_into_the_types_of_the_keys() {
    let of = |line: &str| match parse(line) {
        Ok(Line::Setting { setting, dev }) => {
            let said = match setting {
                Setting::Route(route) => route.to_string(),
                Setting::Rule(rule) => format!("to table {}", rule.table),
                Setting::Tc(line) => format!("root {}", line.is_root()),
            };
            (said, dev)
        }
        other => panic!("{line}: {other:?}"),
    };
    let dev = |name: &str| Some(name.to_owned());
    for (line, means, named) in [
        (
            "route add 10.1.0.0/16 via 10.0.0.2",
            "10.1.0.0/16 via 10.0.0.2",
            None,
        ),
        (
            "route add 10.1.0.0/16 dev eth2 metric 5",
            "10.1.0.0/16 metric 5",
            dev("eth2"),
        ),
        ("rule add from 10.0.0.5 lookup 100", "to table 100", None),
        ("rule add iif eth1 table 7", "to table 7", dev("eth1")),
        (
            "tc qdisc add dev eth1 root netem loss 30%",
            "root true",
            dev("eth1"),
        ),
    ] {
        assert_eq!(of(line), (means.to_owned(), named), "{line}");
    }
}

#[test]
fn what_no_key_has_is_refused_with_the_key_that_is_nearest() {
    for (line, error, key) in [
        (
            "route del default",
            "route del is not carried out in an annotation, where only route add is",
            "pipework.route",
        ),
        (
            "tc qdisc del dev eth1 root",
            "tc qdisc del is not carried out in an annotation, where only tc add is",
            "pipework.tc",
        ),
        (
            "route add 10.1.0.0/16 scope link",
            "scope",
            "pipework.route",
        ),
        ("rule add from 10.0.0.5 goto 5", "goto", "pipework.rule"),
        ("tc qdisc add dev eth1 root frob", "frob", "pipework.tc"),
    ] {
        let refused = Line::parse(line, &|_| None).unwrap_err();
        assert!(refused.to_string().contains(error), "{line}: {refused}");
        let hint = refused.hint().unwrap_or_default();
        assert!(hint.contains(key), "{line}: {hint}");
    }
    let alone = parse("route add 10.1.0.0/16 dev").unwrap_err();
    assert_eq!(alone, "dev needs a value");
}
