//! Lines of the shell script beside keys, and as nothing else than keys.

use crate::request::annotations::{NoNetworks, parse, parse_for};
use crate::request::classic::Macro;
use crate::request::{Attachment, Request};

fn asked(annotations: &[(&str, &str)]) -> Request {
    parse(annotations.iter().copied()).unwrap().unwrap()
}

fn refused(annotations: &[(&str, &str)]) -> String {
    parse(annotations.iter().copied()).unwrap_err().to_string()
}

fn names(request: &Request) -> Vec<&str> {
    let attachments = request.attachments.iter();
    attachments.map(|a| a.ifname.value.as_str()).collect()
}

/// Everything that is asked, without where it was written.
fn hash(attachment: &Attachment) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    attachment.hash(&mut hasher);
    hasher.finish()
}

#[test]
fn a_line_asks_for_what_its_keys_would() {
    let line = "br0 -i lan0 10.0.0.5/24@10.0.0.1 02:00:00:00:00:05@100";
    let by_line = asked(&[("pipework.cmd", line)]);
    let by_keys = asked(&[
        ("pipework.link", "br0"),
        ("pipework.ifname", "lan0"),
        ("pipework.ip", "10.0.0.5/24@10.0.0.1"),
        ("pipework.mac", "02:00:00:00:00:05@100"),
    ]);
    assert_eq!(hash(&by_line.attachments[0]), hash(&by_keys.attachments[0]));
}

#[test]
fn lines_have_the_order_of_what_stands_behind_cmd_and_the_first_free_names() {
    let request = asked(&[
        ("pipework.cmd.b", "br5 0/0"),
        ("pipework.cmd.10", "br4 -i eth2 0/0"),
        ("pipework.cmd.2", "br3 0/0"),
        ("pipework.cmd", "br2 0/0"),
    ]);
    assert_eq!(names(&request), ["eth1", "eth3", "eth2", "eth4"]);
    let uplink = |attachment: &Attachment| attachment.uplink.origin.to_string();
    let uplinks: Vec<String> = request.attachments.iter().map(uplink).collect();
    assert_eq!(
        uplinks,
        [
            "annotation pipework.cmd=br2 0/0",
            "annotation pipework.cmd.2=br3 0/0",
            "annotation pipework.cmd.10=br4 -i eth2 0/0",
            "annotation pipework.cmd.b=br5 0/0",
        ]
    );
}

#[test]
fn lines_stand_behind_the_keys_of_any_form() {
    for (key, expected) in [
        ("pipework.bridge", ["eth1", "eth2"]),
        ("pipework.1.bridge", ["eth2", "eth1"]),
        ("pipework.lan0.bridge", ["lan0", "eth1"]),
    ] {
        let request = asked(&[("pipework.cmd.0", "br1 0/0"), (key, "br0")]);
        assert_eq!(names(&request), expected, "{key}");
    }
    let two = [("pipework.bridge", "br0"), ("pipework.cmd", "ib0 0/0")];
    assert_eq!(names(&asked(&two)), ["eth1", "ib0"]);
}

#[test]
fn one_name_for_two_is_refused_with_both() {
    let two = [
        ("pipework.bridge", "br0"),
        ("pipework.cmd", "br1 -i eth1 0/0"),
    ];
    assert_eq!(
        refused(&two),
        "annotation pipework.bridge=br0 and annotation pipework.cmd=br1 -i eth1 0/0 both make an interface called eth1"
    );
}

#[test]
fn an_error_shows_the_line_and_the_word() {
    for (line, error) in [
        (
            "br0 10.0.0.5/24 02:00:00:00:00",
            "02:00:00:00:00 is not a MAC address of the form 02:00:00:00:00:05",
        ),
        (
            "br0 10.0.0.5/24 @5000",
            "5000 is not a VLAN from 1 to 4094 (0 and 4095 are reserved)",
        ),
        (
            "br0 10.0.0.5",
            "10.0.0.5 has no prefix length; maybe you meant 10.0.0.5/24",
        ),
        ("br0 web 10.0.0.5/24", "web stands in the container's place"),
        ("br0 10.0.0.500/24", "10.0.0.500"),
        ("br0/x 0/0", "br0/x"),
        ("br0 U:@NOBODY@ 0/0", "@NOBODY@ is no macro"),
    ] {
        let said = refused(&[("pipework.cmd.a", line)]);
        let begins = format!("annotation pipework.cmd.a={line}: ");
        assert!(said.starts_with(&begins), "{said}");
        assert!(said[begins.len()..].contains(error), "{said}");
    }
}

#[test]
fn a_route_a_rule_and_traffic_control_are_of_the_interface_that_is_meant() {
    let request = asked(&[
        ("pipework.0.bridge", "br0"),
        ("pipework.0.ip", "10.0.0.5/24"),
        ("pipework.cmd.0", "br1 10.1.0.5/24"),
        ("pipework.cmd.1", "route add 10.9.0.0/16 via 10.1.0.1"),
        ("pipework.cmd.2", "route add 10.8.0.0/16 dev eth1"),
        ("pipework.cmd.3", "rule add from 10.0.0.5 lookup 100"),
        (
            "pipework.cmd.4",
            "tc qdisc add dev eth2 root netem loss 30%",
        ),
    ]);
    let [first, second] = request.attachments.as_slice() else {
        panic!("{request:?}");
    };
    assert_eq!(first.routes[0].value.to_string(), "10.8.0.0/16");
    assert_eq!(
        second.routes[0].value.to_string(),
        "10.9.0.0/16 via 10.1.0.1"
    );
    let counts = |a: &Attachment| (a.routes.len(), a.routing.rules.len(), a.traffic.tc.len());
    assert_eq!((counts(first), counts(second)), ((1, 1, 0), (1, 0, 1)));
    let tc = second.traffic.tc[0].origin.to_string();
    assert!(tc.contains("pipework.cmd"), "{tc}");
}

#[test]
fn a_setting_of_no_interface_or_of_anybodys_is_refused() {
    let two = [("pipework.0.bridge", "br0"), ("pipework.1.bridge", "br1")];
    let with = |line: &'static str| refused(&[two[0], two[1], ("pipework.cmd", line)]);
    let alone = "route add 10.9.0.0/16 via 10.0.0.1";
    assert_eq!(
        refused(&[("pipework.cmd", alone)]),
        format!(
            "annotation pipework.cmd={alone}: no interface is asked for that it could be about"
        )
    );
    assert_eq!(
        with(alone),
        format!("annotation pipework.cmd={alone}: it could be about any of eth1, eth2")
    );
    let other = "tc qdisc add dev eth0 root netem loss 30%";
    assert_eq!(
        with(other),
        format!(
            "annotation pipework.cmd={other}: eth0 is none of the interfaces that are asked for: eth1, eth2"
        )
    );
    let rule = "rule add iif eth1 oif eth0 lookup 7";
    let said = with(rule);
    assert!(
        said.ends_with("eth0 is none of the interfaces that are asked for: eth1"),
        "{said}"
    );
}

#[test]
fn a_line_of_one_interface_is_none_of_its_keys() {
    assert_eq!(
        refused(&[("pipework.0.cmd", "br0 0/0")]),
        "annotation key pipework.0.cmd names no field of pipework; did you mean pipework.cmd.0"
    );
}

#[test]
fn macros_are_looked_up_where_they_stand_and_the_name_is_the_one_that_is_given() {
    let mac = |more: &[(&str, &str)], line: &str| {
        let called = |what| match what {
            Macro::Name => Some("web".to_owned()),
            Macro::Id => Some("c0ffee".to_owned()),
            Macro::Hostname => None,
        };
        let all = more.iter().copied().chain([("pipework.cmd", line)]);
        let request = parse_for(all, &mut NoNetworks, &called).unwrap();
        request.unwrap().attachments[0].mac.as_ref().unwrap().value
    };
    let named = |name: &str| crate::request::MacAddr::from_user_string(name);
    assert_eq!(mac(&[], "br0 0/0 U:@CONTAINER_NAME@"), named("web"));
    assert_eq!(mac(&[], "br0 0/0 U:@CONTAINER_ID@"), named("c0ffee"));
    let given = [("pipework.name", "shop")];
    assert_eq!(mac(&given, "br0 0/0 U:@CONTAINER_NAME@"), named("shop"));
    let never = |_| panic!("nothing was asked for");
    let line = [("pipework.cmd", "br0 0/0")];
    assert!(parse_for(line, &mut NoNetworks, &never).is_ok());
}
