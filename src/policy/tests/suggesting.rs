//! The rule that a refusal prints allows what was refused, and nothing more.

use ipnet::IpNet;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::subsequence;

use super::fixtures::*;
use crate::host::view::{DeviceKind, DeviceView, HostView, UplinkView};
use crate::policy::need::{Need, Shared, needs};
use crate::policy::{Caller, PolicyError, judge};
use crate::request::{
    Addressing, Announce, Attachment, DefaultRoute, Dynamic, Family, MacvlanMode, Origin,
    PortOptions, Request, Route, Sysctl, Traffic, Uplink,
};

fn name() -> impl Strategy<Value = crate::request::IfName> {
    "[a-z*\\\\.\"-][a-z0-9*\\\\\"]{0,6}[a-z0-9*\\\\]".prop_filter_map("a name", |s| s.parse().ok())
}

fn net() -> impl Strategy<Value = IpNet> {
    prop_oneof![
        (any::<u32>(), 0u8..=32)
            .prop_map(|(ip, len)| IpNet::new_assert(std::net::Ipv4Addr::from(ip).into(), len)),
        (any::<u128>(), 0u8..=128)
            .prop_map(|(ip, len)| IpNet::new_assert(std::net::Ipv6Addr::from(ip).into(), len)),
    ]
}

fn caller() -> impl Strategy<Value = Caller> {
    prop_oneof![
        Just(Caller::Runtime),
        Just(Caller::Person),
        (option::of("\\PC{1,12}"), option::of("\\PC{1,12}"))
            .prop_map(|(namespace, account)| Caller::Tenant { namespace, account }),
    ]
}

fn addressing() -> impl Strategy<Value = Addressing> {
    (
        vec(net(), 0..3),
        option::of(any::<u32>()),
        option::of(any::<u128>()),
        option::of(any::<(bool, bool)>()),
        option::of(any::<u32>()),
        subsequence(vec![Dynamic::Dhcp4, Dynamic::Dhcp6, Dynamic::Slaac], 0..3),
    )
        .prop_map(|(nets, gw4, gw6, default, metric, dynamic)| Addressing {
            addresses: nets.into_iter().map(asked).collect(),
            dynamic: dynamic.into_iter().map(asked).collect(),
            gateway4: gw4.map(|ip| asked(ip.into())),
            gateway6: gw6.map(|ip| asked(ip.into())),
            default: default.map(|(v4, v6)| asked(DefaultRoute { v4, v6 })),
            metric: metric.map(asked),
            ..Addressing::default()
        })
}

fn route() -> impl Strategy<Value = Route> {
    (net(), option::of(net()), option::of(any::<u32>())).prop_map(|(to, via, metric)| Route {
        destination: to.trunc(),
        via: via.map(|net| net.addr()),
        metric,
        table: None,
        source: None,
        onlink: false,
    })
}

fn uplink() -> impl Strategy<Value = (Uplink, UplinkView)> {
    let mode = prop_oneof![
        Just(MacvlanMode::Bridge),
        Just(MacvlanMode::Private),
        Just(MacvlanMode::Vepa),
        Just(MacvlanMode::Passthru),
    ];
    let seen = prop_oneof![
        name().prop_map(|name| device(name.as_str(), DeviceKind::Bridge)),
        name().prop_map(|name| device(name.as_str(), DeviceKind::Nic)),
        (name(), 1u16..4095).prop_map(|(name, tag)| DeviceView {
            name,
            kind: DeviceKind::Vlan(tag),
            ..vlan_device()
        }),
    ];
    (name(), mode, option::of(seen), 0..3).prop_map(|(name, mode, seen, which)| {
        let parent = crate::request::DeviceRef::Name(name.clone());
        let uplink = match which {
            0 => Uplink::Bridge { device: name },
            1 => Uplink::Macvlan { parent, mode },
            _ => Uplink::Link {
                device: parent,
                mode,
            },
        };
        (uplink, seen.map_or(UplinkView::Absent, UplinkView::Present))
    })
}

fn port_and_traffic() -> impl Strategy<Value = (PortOptions, Traffic)> {
    let switch = || option::of(any::<bool>().prop_map(asked));
    let rate = || option::of((8u64..1 << 40).prop_map(|bits| asked(bits.try_into().unwrap())));
    let burst = option::of((1u64..1 << 32).prop_map(|bytes| asked(bytes.try_into().unwrap())));
    let port = (switch(), switch(), switch(), switch()).prop_map(
        |(isolate, hairpin, spoofcheck, promisc)| PortOptions {
            isolate,
            hairpin,
            spoofcheck,
            promisc,
        },
    );
    let line = Just(asked("qdisc add root fq".parse().unwrap()));
    let traffic =
        (rate(), rate(), burst, vec(line, 0..2)).prop_map(|(rate_in, rate_out, burst, tc)| {
            Traffic {
                rate_in,
                rate_out,
                burst,
                tc,
            }
        });
    (port, traffic)
}

fn options() -> impl Strategy<Value = Attachment> {
    let sysctl = prop_oneof![Just(Family::Ipv4), Just(Family::Ipv6)].prop_map(|family| Sysctl {
        family,
        leaf: "forwarding",
        value: 1,
    });
    (
        (name(), any::<bool>()),
        option::of(any::<[u8; 6]>()),
        option::of(68u32..=65535),
        option::of(any::<u32>()),
        option::of(name()),
        vec(sysctl, 0..2),
        option::of(any::<bool>()),
        option::of(any::<bool>()),
    )
        .prop_map(
            |((name, written), mac, mtu, txqlen, hostif, sysctls, once, optional)| {
                let mut out = attachment(bridge("br0"));
                out.ifname = asked(name);
                if !written {
                    out.ifname.origin = Origin::Default;
                }
                let text = |m: [u8; 6]| m.map(|octet| format!("{octet:02x}")).join(":");
                out.mac = mac.and_then(|m| text(m).parse().ok()).map(asked);
                out.mtu = mtu.map(|mtu| asked(mtu.to_string().parse().unwrap()));
                out.txqlen = txqlen.map(asked);
                out.hostif = hostif.map(asked);
                out.sysctls = sysctls.into_iter().map(asked).collect();
                let announce = |once| if once { Announce::Once } else { Announce::Off };
                out.announce = once.map(announce).map(asked);
                out.optional = optional.map(asked);
                out
            },
        )
}

fn one() -> impl Strategy<Value = (Attachment, UplinkView)> {
    let parts = (
        uplink(),
        options(),
        addressing(),
        vec(route(), 0..3),
        port_and_traffic(),
    );
    parts.prop_map(
        |((uplink, seen), mut attachment, addressing, routes, (port, traffic))| {
            attachment.port = port;
            attachment.traffic = traffic;
            attachment.uplink = asked(uplink);
            attachment.addressing = addressing;
            attachment.routes = routes.into_iter().map(asked).collect();
            (attachment, seen)
        },
    )
}

fn everything() -> impl Strategy<Value = (Caller, Request, HostView)> {
    (caller(), vec(one(), 1..3), option::of("[!-~]{1,12}")).prop_map(|(caller, pairs, name)| {
        let (mut attachments, uplinks): (Vec<Attachment>, Vec<UplinkView>) =
            pairs.into_iter().unzip();
        if caller.is_guarded() {
            // No rule gives these to pods, so none is suggested.
            for attachment in &mut attachments {
                attachment.hostif = None;
                attachment.traffic.tc.clear();
                attachment.dns = Default::default();
            }
        }
        let name = name.map(asked);
        (caller, Request { attachments, name }, view(uplinks))
    })
}

/// The `[[rule]]` in a hint.
fn rule_of(error: &PolicyError) -> String {
    let hint = error.hint().unwrap();
    let at = hint.find("[[rule]]").unwrap();
    hint[at..].to_owned()
}

/// Adds what is suggested until nothing is refused; the text of the policy.
fn suggested(caller: &Caller, request: &Request, view: &HostView) -> String {
    let mut text = String::new();
    for _ in &request.attachments {
        match judge(Some(&parse(&text).unwrap()), caller, request, view) {
            Ok(_) => break,
            Err(error) => text = format!("{text}{}\n", rule_of(&error)),
        }
    }
    text
}

/// What the first attachment asks.
fn needs_of(caller: &Caller, request: &Request, view: &HostView) -> Vec<Need> {
    let shared = Shared {
        caller,
        name: request.name.as_ref(),
        count: 1,
    };
    let asks = needs(&shared, &request.attachments[0], &view.uplinks[0]).unwrap();
    asks.into_iter().map(|ask| ask.need).collect()
}

/// Puts one field of another attachment in the place of ours.
fn replace_field(ours: &mut Attachment, field: usize, other: Attachment) {
    match field {
        0 => ours.uplink = other.uplink,
        1 => ours.ifname = other.ifname,
        2 => ours.mac = other.mac,
        3 => ours.mtu = other.mtu,
        4 => ours.txqlen = other.txqlen,
        5 => ours.hostif = other.hostif,
        6 => ours.addressing = other.addressing,
        7 => ours.routes = other.routes,
        8 => ours.sysctls = other.sysctls,
        9 => ours.announce = other.announce,
        10 => ours.port = other.port,
        11 => ours.traffic = other.traffic,
        _ => ours.optional = other.optional,
    }
}

/// Whether the rule for some needs does not speak of this one.
fn is_new(need: &Need, before: &[Need]) -> bool {
    let within = |to: &IpNet| {
        let wider = |b: &Need| matches!(b, Need::Route(from) if from.contains(to));
        before.iter().any(wider)
    };
    if let Need::Route(to) = need {
        return !within(to);
    }
    !need.is_plain() && !before.contains(need)
}

proptest! {
    #[test]
    fn the_suggested_rules_allow_what_was_refused((caller, request, view) in everything()) {
        let text = suggested(&caller, &request, &view);
        judge(Some(&parse(&text).unwrap()), &caller, &request, &view).unwrap();
    }

    #[test]
    fn no_line_of_a_suggested_rule_is_idle((caller, mut request, mut view) in everything()) {
        request.attachments.truncate(1);
        view.uplinks.truncate(1);
        let text = suggested(&caller, &request, &view);
        for without in 1..text.lines().count() {
            let kept = text.lines().enumerate().filter(|(n, _)| *n != without);
            let kept: Vec<&str> = kept.map(|(_, line)| line).collect();
            let refused = match parse(&kept.join("\n")) {
                Ok(policy) => judge(Some(&policy), &caller, &request, &view).is_err(),
                Err(_) => true,
            };
            prop_assert!(refused, "idle line {} of\n{}", without + 1, text);
        }
    }

    #[test]
    fn a_suggested_rule_allows_nothing_that_was_not_asked(
        (caller, mut request, mut view) in everything(),
        (other, other_view) in one(),
        field in 0usize..13,
    ) {
        request.attachments.truncate(1);
        view.uplinks.truncate(1);
        let policy = parse(&suggested(&caller, &request, &view)).unwrap();
        let before = needs_of(&caller, &request, &view);
        replace_field(&mut request.attachments[0], field, other);
        if field == 0 {
            view.uplinks[0] = other_view.into();
        }
        let after = needs_of(&caller, &request, &view);
        if after.iter().any(|need| is_new(need, &before)) {
            prop_assert!(judge(Some(&policy), &caller, &request, &view).is_err());
        }
    }

    #[test]
    fn no_file_makes_the_reader_panic(bytes in vec(any::<u8>(), 0..300)) {
        drop(crate::policy::Policy::parse(std::path::Path::new("/p"), &bytes));
    }
}
