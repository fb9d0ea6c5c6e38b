//! Every field is denied unless the rule lists it, and bounded by what it lists.

use super::fixtures::*;
use crate::host::view::{DeviceKind, HostView, UplinkView};
use crate::request::{
    Announce, Attachment, DefaultRoute, Dynamic, MacvlanMode, Origin, Request, Route, Sysctl,
    Uplink,
};

/// One field: how to ask for it, what allows it, what else is needed for that,
/// and a listing that is not enough.
struct Case {
    key: &'static str,
    ask: fn(&mut Request),
    enough: &'static str,
    besides: &'static str,
    too_little: &'static str,
}

fn first(request: &mut Request) -> &mut Attachment {
    &mut request.attachments[0]
}

fn routes(text: &str) -> Vec<crate::request::Asked<Route>> {
    let routes = Route::parse_list(text).unwrap();
    routes.into_iter().map(asked).collect()
}

fn case(key: &'static str, ask: fn(&mut Request), listings: [&'static str; 3]) -> Case {
    let [enough, besides, too_little] = listings;
    Case {
        key,
        ask,
        enough,
        besides,
        too_little,
    }
}

fn host_settings() -> Vec<Case> {
    vec![
        case(
            "ifname",
            |r| first(r).ifname.origin = asked(()).origin,
            ["[\"eth*\"]", "", "[\"lan0\"]"],
        ),
        case(
            "hostif",
            |r| first(r).hostif = Some(asked(ifname("web0"))),
            ["[\"web*\"]", "", "[\"db*\"]"],
        ),
        case(
            "mtu",
            |r| first(r).mtu = Some(asked("9000".parse().unwrap())),
            ["{ max = 9000 }", "", "{ max = 8999 }"],
        ),
        case(
            "txqlen",
            |r| first(r).txqlen = Some(asked(500)),
            ["[\"1-500\"]", "", "[\"1-499\"]"],
        ),
        case(
            "sysctl",
            |r| {
                let sysctl = Sysctl::parse_name("sysctl.ipv4.conf.arp_ignore");
                let (family, leaf) = sysctl
                    .or_else(|_| Sysctl::parse_name("ipv4.conf.arp_ignore"))
                    .unwrap();
                let value = 1;
                first(r).sysctls = vec![asked(Sysctl {
                    family,
                    leaf,
                    value,
                })];
            },
            ["[\"ipv4.arp_ignore\"]", "", "[\"ipv6.*\"]"],
        ),
        case(
            "announce",
            |r| first(r).announce = Some(asked(Announce::Off)),
            ["[0]", "", "[1]"],
        ),
        case(
            "optional",
            |r| first(r).optional = Some(asked(true)),
            ["true", "", "false"],
        ),
        case(
            "name",
            |r| r.name = Some(asked("web".to_owned())),
            ["\"web\"", "", "\"db\""],
        ),
        case(
            "count",
            |r| r.attachments.push(r.attachments[0].clone()),
            ["2", "", "1"],
        ),
        case(
            "mac",
            |r| first(r).mac = Some(asked("02:42:00:00:00:05".parse().unwrap())),
            ["[\"02:42:*\"]", "", "[\"02:43:*\", \"stable\"]"],
        ),
        case(
            "mode",
            |r| {
                first(r).uplink.value = Uplink::Macvlan {
                    parent: crate::request::DeviceRef::Name(ifname("br0")),
                    mode: MacvlanMode::Passthru,
                }
            },
            ["[\"passthru\"]", "", "[\"bridge\", \"vepa\"]"],
        ),
    ]
}

fn port_and_traffic() -> Vec<Case> {
    vec![
        case(
            "burst",
            |r| first(r).traffic.burst = Some(asked("64kb".parse().unwrap())),
            ["{ max = 65536 }", "", "{ max = 65535 }"],
        ),
        case(
            "tc",
            |r| first(r).traffic.tc = vec![asked("qdisc add root fq".parse().unwrap())],
            ["true", "", "false"],
        ),
        case(
            "hairpin",
            |r| first(r).port.hairpin = Some(asked(true)),
            ["true", "", "false"],
        ),
        case(
            "promisc",
            |r| first(r).port.promisc = Some(asked(true)),
            ["true", "", "false"],
        ),
    ]
}

fn addressing() -> Vec<Case> {
    let with_gateway = |r: &mut Request| {
        first(r).addressing.gateway4 = Some(asked("10.0.0.1".parse().unwrap()));
    };
    vec![
        case(
            "cidr",
            |r| first(r).addressing.addresses = vec![asked("10.0.0.5/24".parse().unwrap())],
            ["[\"10.0.0.0/28\"]", "", "[\"10.0.0.128/25\"]"],
        ),
        case(
            "gateway",
            with_gateway,
            ["true", "default-route=true", "[\"10.0.0.2/32\"]"],
        ),
        case(
            "default-route",
            with_gateway,
            ["true", "gateway=[\"10.0.0.1\"]", "false"],
        ),
        case(
            "routes",
            |r| first(r).routes = routes("10.9.0.0/16"),
            ["[\"10.0.0.0/8\"]", "", "[\"10.9.0.0/24\"]"],
        ),
        case(
            "gateway",
            |r| first(r).routes = routes("10.9.0.0/16 via 10.0.0.1"),
            ["[\"10.0.0.1\"]", "routes=\"any\"", "false"],
        ),
        case(
            "default-route",
            |r| first(r).routes = routes("0.0.0.0/0 via 10.0.0.1"),
            ["true", "routes=\"any\"\ngateway=true", "false"],
        ),
        case(
            "metric",
            |r| first(r).routes = routes("10.9.0.0/16 metric 50"),
            ["\"any\"", "routes=\"any\"", "{ min = 100 }"],
        ),
        case(
            "metric",
            |r| first(r).addressing.metric = Some(asked(50)),
            ["[50]", "", "[\"51-60\"]"],
        ),
    ]
}

fn every_field() -> Vec<Case> {
    [host_settings(), port_and_traffic(), addressing(), learned()]
        .into_iter()
        .flatten()
        .collect()
}

fn learned() -> Vec<Case> {
    vec![
        case(
            "dynamic",
            |r| {
                let ways = [Dynamic::Dhcp4, Dynamic::Slaac].map(asked);
                first(r).addressing.dynamic = ways.to_vec();
            },
            ["[\"dhcp\", \"slaac\"]", "default-route=true", "[\"dhcp\"]"],
        ),
        case(
            "dhcp",
            |r| first(r).dhcp.hostname = Some(asked("web".to_owned())),
            ["[\"hostname=web\"]", "", "[\"hostname=db\"]"],
        ),
        case(
            "dhcp-programs",
            |r| {
                let program = "/sbin/udhcpc".parse().unwrap();
                first(r).dhcp.program = Some(asked(program));
            },
            [
                "[\"/sbin/dhclient\", \"/sbin/udhcpc\"]",
                "",
                "[\"/usr/sbin/udhcpc\"]",
            ],
        ),
        case(
            "dns",
            |r| {
                first(r).dns.servers = Some(asked("10.0.0.1,10.0.0.2".parse().unwrap()));
                first(r).dns.search = Some(asked(vec!["lan".to_owned()]));
            },
            ["[\"10.0.0.*\", \"search=lan\"]", "", "[\"10.0.0.*\"]"],
        ),
        case(
            "wait",
            |r| first(r).wait = Some(asked(std::time::Duration::from_secs(30))),
            ["{ max = 30 }", "", "{ max = 29 }"],
        ),
    ]
}

fn host_of(request: &Request) -> HostView {
    let br0 = || UplinkView::Present(device("br0", DeviceKind::Bridge));
    view(request.attachments.iter().map(|_| br0()).collect())
}

fn judged(case: &Case, listing: Option<&str>) -> bool {
    let mut request = request(attachment(bridge("br0")));
    (case.ask)(&mut request);
    let line = listing.map_or_else(String::new, |listing| format!("{}={listing}", case.key));
    let text = format!(
        "[[rule]]\ncaller=\"any\"\nuplink=\"any\"\nkind=\"any\"\n{}\n{line}\n",
        case.besides
    );
    root_asks(&text, &request, &host_of(&request)).is_ok()
}

#[test]
fn a_field_that_is_not_listed_is_denied() {
    for case in &every_field() {
        assert!(!judged(case, None), "{}", case.key);
    }
}

#[test]
fn a_field_that_is_listed_is_allowed() {
    for case in &every_field() {
        assert!(judged(case, Some(case.enough)), "{}", case.key);
    }
}

#[test]
fn a_value_beyond_what_is_listed_is_denied() {
    for case in &every_field() {
        assert!(!judged(case, Some(case.too_little)), "{}", case.key);
    }
}

#[test]
fn a_deny_rule_on_any_single_field_refuses_what_asks_for_it() {
    for case in &every_field() {
        if case.key == "count" {
            continue;
        }
        let mut request = request(attachment(bridge("br0")));
        (case.ask)(&mut request);
        let text = format!("[[rule]]\naction=\"deny\"\n{}={}\n", case.key, case.enough);
        let error = root_asks(&text, &request, &host_of(&request)).unwrap_err();
        let denied = matches!(error, crate::policy::PolicyError::Denied { .. });
        assert!(denied, "{}", case.key);
    }
}

#[test]
fn what_repeats_a_default_asks_for_nothing() {
    let mut plain = attachment(bridge("br0"));
    plain.optional = Some(asked(false));
    plain.announce = Some(asked(Announce::Once));
    let off = DefaultRoute {
        v4: false,
        v6: false,
    };
    plain.addressing.default = Some(asked(off));
    let text = "[[rule]]\ncaller=\"any\"\nuplink=\"any\"\nkind=\"any\"\n";
    root_asks(text, &request(plain), &br0()).unwrap();
}

#[test]
fn a_gateway_that_makes_no_default_route_needs_no_leave_for_one() {
    let mut wanted = attachment(bridge("br0"));
    wanted.addressing.gateway4 = Some(asked("10.0.0.1".parse().unwrap()));
    let only6 = DefaultRoute {
        v4: false,
        v6: true,
    };
    wanted.addressing.default = Some(asked(only6));
    let text = "[[rule]]\ncaller=\"any\"\nuplink=\"any\"\nkind=\"any\"\ngateway=true\n";
    root_asks(text, &request(wanted), &br0()).unwrap();
}

#[test]
fn a_default_interface_name_is_bounded_where_names_are_listed() {
    let wanted = attachment(bridge("br0"));
    assert_eq!(wanted.ifname.origin, Origin::Default);
    let text = "[[rule]]\ncaller=\"any\"\nuplink=\"any\"\nkind=\"any\"\nifname=\"lan*\"\n";
    root_asks(text, &request(wanted), &br0()).unwrap_err();
}

#[test]
fn a_rule_that_lists_addresses_of_hardware_wants_one_unless_it_lists_stable() {
    let wanted = request(attachment(bridge("br0")));
    let rule = |mac: &str| {
        let text = format!("[[rule]]\ncaller=\"any\"\nuplink=\"any\"\nkind=\"any\"\nmac={mac}\n");
        root_asks(&text, &wanted, &br0())
    };
    rule("[\"02:42:*\"]").unwrap_err();
    rule("[\"02:42:*\", \"stable\"]").unwrap();
}
