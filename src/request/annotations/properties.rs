//! What holds for any input whatever: no parser panics, what is accepted
//! keeps its invariants, what is written can be read again.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::request::{
    AddressWithGateway, Dad, DeviceRef, IfName, MacAddr, Mtu, Neighbour, Route, Rule, Sysctl,
};

/// Reads `text` and, if it is accepted, reads what it is displayed as.
fn round_trip<T>(text: &str)
where
    T: std::str::FromStr + std::fmt::Display + PartialEq + std::fmt::Debug,
{
    if let Ok(value) = text.parse::<T>() {
        assert_eq!(value.to_string().parse().ok(), Some(value));
    }
}

fn invariants(request: &Request) {
    let names: BTreeSet<&IfName> = request
        .attachments
        .iter()
        .map(|a| &a.ifname.value)
        .collect();
    assert_eq!(names.len(), request.attachments.len());
    assert!(!request.attachments.is_empty());
    for attachment in &request.attachments {
        let asked = &attachment.addressing;
        let has = |v4: bool| {
            asked
                .addresses
                .iter()
                .any(|a| a.value.addr().is_ipv4() == v4)
        };
        assert!(asked.gateway4.is_none() || has(true));
        assert!(asked.gateway6.is_none() || has(false));
        let gateway = asked.gateway4.is_some() || asked.gateway6.is_some();
        let gateway = gateway || !asked.dynamic.is_empty();
        assert!(gateway || (asked.default.is_none() && asked.metric.is_none()));
        for address in &asked.addresses {
            assert!(address.value.prefix_len() > 0 && !address.value.addr().is_multicast());
        }
    }
}

fn word_of_a_line() -> impl Strategy<Value = String> {
    let known = [
        "br0",
        "ib0",
        "eth1",
        "-i",
        "-l",
        "-a",
        "4",
        "--direct-phys",
        "--dad",
        "dhcp",
        "U:x@100",
        "10.0.0.5/24@10.0.0.1",
        "fd00::5/64",
        "udhcpc:-x",
        "@HOSTNAME@",
        "route",
        "rule",
        "tc",
        "add",
        "via",
        "dev",
        "default",
        "from",
        "lookup",
        "qdisc",
        "root",
        "'",
        "pipework",
    ];
    prop_oneof![
        proptest::sample::select(known.to_vec()).prop_map(str::to_owned),
        "\\PC{0,9}"
    ]
}

fn key() -> impl Strategy<Value = String> {
    let fields: Vec<&'static str> = keys::all().map(|key| key.stem()).collect();
    let selector = prop_oneof![
        Just(String::new()),
        "[0-9]{1,3}\\.",
        "[a-z]{1,5}[0-9.]{0,3}\\."
    ];
    (selector, proptest::sample::select(fields)).prop_map(|(s, f)| format!("pipework.{s}{f}"))
}

fn value() -> impl Strategy<Value = String> {
    let examples: Vec<String> = keys::all()
        .flat_map(|key| [Some(key.example), key.default])
        .flatten()
        .map(str::to_owned)
        .collect();
    prop_oneof![
        4 => proptest::sample::select(examples),
        1 => "[0-9a-f:.,/@ -]{0,30}",
        1 => any::<String>(),
    ]
}

proptest! {
    #[test]
    fn no_leaf_parser_panics_and_display_is_read_again(text in any::<String>()) {
        round_trip::<IfName>(&text);
        round_trip::<MacAddr>(&text);
        round_trip::<Mtu>(&text);
        round_trip::<DeviceRef>(&text);
        round_trip::<AddressWithGateway>(&text);
        round_trip::<Route>(&text);
        round_trip::<Rule>(&text);
        round_trip::<Neighbour>(&text);
        round_trip::<Dad>(&text);
        let _ = Sysctl::parse(&text, &text);
        for key in keys::all() {
            let _ = key.form.check(&text);
        }
        let _ = keys::text(Some(&text));
    }

    #[test]
    fn no_line_of_the_shell_script_panics(
        text in any::<String>(),
        words in proptest::collection::vec(word_of_a_line(), 0..8),
    ) {
        for line in [text, words.join(" ")] {
            let asked = [("pipework.bridge", "br9"), ("pipework.cmd", line.as_str())];
            let value = |_| Some("web".to_owned());
            if let Ok(Some(request)) = parse_for(asked, &mut NoNetworks, &value) {
                invariants(&request);
            }
        }
    }

    #[test]
    fn addresses_are_read_again_as_they_are_displayed(
        text in "[1-9]{1,2}\\.[0-9]{1,2}\\.0\\.[0-9]{1,2}/[0-9]{1,2}(,fe80::[1-9]/[0-9]{1,2})?(@[1-9]\\.1\\.1\\.[1-9])?"
    ) {
        round_trip::<AddressWithGateway>(&text);
    }

    #[test]
    fn rules_are_read_again_as_they_are_displayed(
        text in "(not )?(from (10\\.0\\.0\\.[0-9]{1,3}|fd00::/[0-9]{1,3}) )?(to 10\\.0\\.0\\.0/[0-9]{1,2} )?(fwmark (0x)?[0-9a-f]{1,4}(/[0-9]{1,3})? )?(ipproto (tcp|[0-9]{1,3}) )?(dport [0-9]{1,5}(-[0-9]{1,5})? )?(lookup|table) ([0-9]{1,3}|main)( priority [0-9]{1,5})?( suppress_prefixlength [0-9]{1,3})?"
    ) {
        round_trip::<Rule>(&text);
    }

    #[test]
    fn macs_are_read_again_as_they_are_displayed(octets in any::<[u8; 6]>()) {
        round_trip::<MacAddr>(&MacAddr::local(octets).to_string());
    }

    #[test]
    fn no_annotation_panics(pairs in proptest::collection::vec((any::<String>(), any::<String>()), 0..5)) {
        let prefixed: Vec<(String, String)> =
            pairs.into_iter().map(|(k, v)| (format!("{PREFIX}{k}"), v)).collect();
        let _ = parse(prefixed.iter().map(|(k, v)| (k.as_str(), v.as_str())));
    }

    #[test]
    fn whatever_is_accepted_keeps_the_invariants(
        uplink in prop_oneof![Just("bridge"), Just("parent"), Just("link")],
        pairs in proptest::collection::vec((key(), value()), 0..4),
    ) {
        let uplink = format!("{PREFIX}{uplink}");
        let all = pairs.iter().map(|(k, v)| (k.as_str(), v.as_str()));
        match parse(all.chain([(uplink.as_str(), "br0")])) {
            Ok(request) => invariants(&request.unwrap()),
            Err(error) => {
                let _ = (error.to_string(), error.hint());
            }
        }
    }
}

#[test]
fn ten_thousand_annotations_take_bounded_work() {
    let keys: Vec<String> = (0..10_000)
        .map(|n| format!("pipework.a{n}.bridge"))
        .collect();
    let begin = Instant::now();
    let error = parse(keys.iter().map(|key| (key.as_str(), "br0"))).unwrap_err();
    assert_eq!(error, RequestError::TooManyInterfaces { count: 10_000 });
    assert!(begin.elapsed() < Duration::from_secs(5));
}
