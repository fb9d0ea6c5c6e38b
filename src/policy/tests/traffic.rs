//! Limits, the guard, and what else a port may be asked for.

use super::fixtures::*;
use crate::policy::{Caller, PolicyError, judge};
use crate::request::{Attachment, Request};

const ALLOWED: &str = "[[rule]]\ncaller=\"any\"\nuplink=\"any\"\nkind=\"any\"\n";

fn with(ask: impl FnOnce(&mut Attachment)) -> Request {
    let mut wanted = attachment(bridge("br0"));
    ask(&mut wanted);
    request(wanted)
}

fn limited_to(rate: &str) -> Request {
    with(|a| a.traffic.rate_in = Some(asked(rate.parse().unwrap())))
}

fn judged(line: &str, request: &Request) -> Result<(), PolicyError> {
    root_asks(&format!("{ALLOWED}{line}\n"), request, &br0())
}

fn tenant_asks(line: &str, request: &Request) -> Result<(), PolicyError> {
    let policy = parse(&format!("{ALLOWED}{line}\n")).unwrap();
    let tenant = Caller::Tenant {
        namespace: None,
        account: None,
    };
    judge(Some(&policy), &tenant, request, &br0()).map(drop)
}

#[test]
fn a_limit_needs_no_leave() {
    judged("", &limited_to("10mbit")).unwrap();
    judged("", &with(|a| a.port.isolate = Some(asked(true)))).unwrap();
    judged("", &with(|a| a.port.spoofcheck = Some(asked(true)))).unwrap();
}

#[test]
fn a_rule_that_lists_limits_wants_one_that_is_no_larger() {
    let most = "rate-in=\"100mbit\"";
    judged(most, &limited_to("100mbit")).unwrap();
    judged(most, &limited_to("101mbit")).unwrap_err();
    let error = judged(most, &with(|_| {})).unwrap_err();
    assert_eq!(
        error.to_string(),
        "eth1: no rule in /p allows no limit of the traffic to it"
    );
    judged("rate-in=[\"100mbit\", \"unlimited\"]", &with(|_| {})).unwrap();
    judged("rate-out=\"100mbit\"", &limited_to("10mbit")).unwrap_err();
}

#[test]
fn a_rule_may_refuse_who_has_no_limit() {
    let text = format!("[[rule]]\naction=\"deny\"\nrate-in=\"unlimited\"\n{ALLOWED}");
    let error = root_asks(&text, &with(|_| {}), &br0()).unwrap_err();
    assert!(matches!(error, PolicyError::Denied { .. }), "{error}");
}

#[test]
fn a_pod_without_leave_may_not_switch_its_guard_off() {
    let off = with(|a| a.port.spoofcheck = Some(asked(false)));
    let error = tenant_asks("", &off).unwrap_err();
    assert_eq!(
        error.to_string(),
        "eth1: no rule in /p allows a port without spoofcheck"
    );
    assert!(error.hint().unwrap().contains("no-spoofcheck = true"));
    tenant_asks("no-spoofcheck=true", &off).unwrap();
    // Others have none that they could switch off.
    judged("", &off).unwrap();
}

#[test]
fn what_is_switched_off_asks_for_nothing() {
    let off = with(|a| {
        a.port.hairpin = Some(asked(false));
        a.port.promisc = Some(asked(false));
    });
    judged("", &off).unwrap();
}
