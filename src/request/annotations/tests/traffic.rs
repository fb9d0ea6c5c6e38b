//! The fields about a port and about traffic, and Kubernetes' own limits.

use super::*;

fn rates(request: &Request) -> Vec<(Option<String>, Option<String>)> {
    let shown = |asked: &Option<Asked<crate::request::Rate>>| {
        asked.as_ref().map(|asked| asked.value.to_string())
    };
    let attachments = request.attachments.iter();
    attachments
        .map(|a| (shown(&a.traffic.rate_in), shown(&a.traffic.rate_out)))
        .collect()
}

fn parsed(pairs: &[(&str, &str)]) -> Request {
    parse(pairs.iter().copied()).unwrap().unwrap()
}

fn refused(pairs: &[(&str, &str)]) -> String {
    parse(pairs.iter().copied()).unwrap_err().to_string()
}

#[test]
fn limits_burst_and_lines_are_read() {
    let request = parsed(&[
        ("pipework.bridge", "br0"),
        ("pipework.rate.in", "10mbit"),
        ("pipework.rate.out", "1.5M"),
        ("pipework.burst", "64kb"),
        (
            "pipework.tc",
            "qdisc add dev eth1 root netem loss 1%; qdisc add clsact;",
        ),
    ]);
    let traffic = &request.attachments[0].traffic;
    assert_eq!(
        rates(&request),
        [(Some("10mbit".to_owned()), Some("1500kbit".to_owned()))]
    );
    assert_eq!(traffic.burst.as_ref().unwrap().value.get(), 65_536);
    assert_eq!(traffic.tc.len(), 2);
}

#[test]
fn a_line_for_another_interface_is_refused() {
    assert_eq!(
        refused(&[
            ("pipework.bridge", "br0"),
            ("pipework.tc", "qdisc add dev eth0 root fq"),
        ]),
        "annotation pipework.tc=qdisc add dev eth0 root fq: \
         eth0 is not the interface eth1 that is made here; leave dev out"
    );
}

#[test]
fn a_burst_alone_is_refused() {
    let error = refused(&[("pipework.bridge", "br0"), ("pipework.burst", "64kb")]);
    assert_eq!(
        error,
        "annotation pipework.burst=64kb: a burst needs rate.in or rate.out, which it may exceed"
    );
}

#[test]
fn kubernetes_limits_hold_for_interfaces_without_their_own() {
    let request = parsed(&[
        ("kubernetes.io/ingress-bandwidth", "10M"),
        ("kubernetes.io/egress-bandwidth", "1G"),
        ("pipework.0.bridge", "br0"),
        ("pipework.0.rate.in", "5mbit"),
        ("pipework.1.bridge", "br0"),
        ("pipework.1.burst", "64kb"),
    ]);
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(
        rates(&request),
        [
            (text("5mbit"), text("1gbit")),
            (text("10mbit"), text("1gbit")),
        ]
    );
    let origin = &request.attachments[1]
        .traffic
        .rate_in
        .as_ref()
        .unwrap()
        .origin;
    assert_eq!(
        origin.to_string(),
        "annotation kubernetes.io/ingress-bandwidth=10M"
    );
}

#[test]
fn kubernetes_limits_alone_ask_for_nothing_whatever_they_say() {
    for value in ["10M", "nonsense"] {
        let alone = [("kubernetes.io/ingress-bandwidth", value)];
        assert_eq!(parse(alone), Ok(None));
    }
    assert_eq!(
        refused(&[
            ("kubernetes.io/ingress-bandwidth", "10mbit"),
            ("pipework.bridge", "br0"),
        ]),
        "annotation kubernetes.io/ingress-bandwidth=10mbit: \
         10mbit is not a quantity of bit/s such as 10M"
    );
}

#[test]
fn a_guard_by_default_leaves_what_is_written() {
    let mut request = parsed(&[
        ("pipework.0.bridge", "br0"),
        ("pipework.0.spoofcheck", "no"),
        ("pipework.1.bridge", "br0"),
    ]);
    request.guard_by_default();
    let guarded: Vec<bool> = request
        .attachments
        .iter()
        .map(|a| a.port.spoofcheck.as_ref().unwrap().value)
        .collect();
    assert_eq!(guarded, [false, true]);
}
