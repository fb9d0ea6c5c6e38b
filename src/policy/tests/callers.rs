//! Who a caller is, and what it may do without a policy file.

use std::path::Path;

use super::fixtures::*;
use crate::policy::{Caller, Policy, PolicyError, judge, may_wait};

fn pod(namespace: Option<&str>) -> Caller {
    Caller::Tenant {
        namespace: namespace.map(str::to_owned),
        account: None,
    }
}

fn with(account: &str) -> Caller {
    Caller::Tenant {
        namespace: Some("shop".to_owned()),
        account: Some(account.to_owned()),
    }
}

fn of(keys: &[(&'static str, &'static str)]) -> Caller {
    Caller::of(keys.iter().copied())
}

#[test]
fn a_container_without_kubernetes_keys_is_the_runtimes() {
    assert_eq!(of(&[("pipework.ip", "10.0.0.5/24")]), Caller::Runtime);
}

#[test]
fn any_containerd_key_makes_a_tenant() {
    let caller = of(&[("io.kubernetes.cri.whatever", "")]);
    assert_eq!(caller, pod(None));
}

#[test]
fn a_key_that_merely_begins_like_containerds_makes_a_tenant() {
    assert_eq!(of(&[("io.kubernetes.cricket", "")]), pod(None));
}

#[test]
fn a_tenants_namespace_is_read_wherever_it_stands() {
    let namespace = ("io.kubernetes.cri.sandbox-namespace", "shop");
    let other = ("io.kubernetes.cri.sandbox-id", "1");
    let shop = pod(Some("shop"));
    assert_eq!(of(&[namespace, other]), shop);
    assert_eq!(of(&[other, namespace]), shop);
}

#[test]
fn a_crio_key_wins_over_containerds() {
    let caller = of(&[
        ("io.kubernetes.cri-o.Metadata", "{}"),
        ("io.kubernetes.cri.sandbox-namespace", "shop"),
    ]);
    assert_eq!(caller, Caller::CrioPod);
}

#[test]
fn a_container_of_a_podman_pod_is_the_runtimes() {
    let caller = of(&[
        ("io.container.manager", "libpod"),
        ("io.kubernetes.cri-o.SandboxID", "abc"),
        ("io.kubernetes.cri-o.ContainerType", "container"),
    ]);
    assert_eq!(caller, Caller::Runtime);
}

#[test]
fn a_crio_pod_that_claims_to_be_podmans_is_still_crios() {
    let caller = of(&[
        ("io.container.manager", "libpod"),
        ("io.kubernetes.cri-o.SandboxID", "abc"),
        ("io.kubernetes.cri-o.Name", "abc"),
    ]);
    assert_eq!(caller, Caller::CrioPod);
}

#[test]
fn without_a_file_root_gets_what_it_asks() {
    let request = request(attachment(bridge("br0")));
    judge(None, &Caller::Runtime, &request, &br0()).unwrap();
    judge(None, &Caller::Person, &request, &br0()).unwrap();
}

#[test]
fn without_a_file_a_tenant_is_refused_with_the_rule_to_write() {
    let tenant = pod(Some("shop"));
    let request = request(attachment(bridge("br0")));
    let error = judge(None, &tenant, &request, &br0()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "eth1: a pod of namespace \"shop\" may use nothing until /etc/pipework/policy.toml lists it"
    );
    assert_eq!(
        error.hint().unwrap(),
        "to allow it, put into /etc/pipework/policy.toml:\n[[rule]]\ncaller = [\"namespace:shop\"]\nuplink = [\"br0\"]\nkind = [\"bridge\"]"
    );
}

#[test]
fn a_crio_pod_is_refused_whatever_the_policy() {
    let policy = parse("[[rule]]\ncaller = \"any\"\nuplink = \"any\"\nkind = \"any\"").unwrap();
    let request = request(attachment(bridge("br0")));
    let error = judge(Some(&policy), &Caller::CrioPod, &request, &br0()).unwrap_err();
    assert!(matches!(error, PolicyError::CrioPod));
}

#[test]
fn a_namespace_rule_covers_no_other_namespace() {
    let policy =
        parse("[[rule]]\ncaller = \"namespace:shop\"\nuplink = \"any\"\nkind = \"any\"").unwrap();
    let request = request(attachment(bridge("br0")));
    let judged = |namespace| judge(Some(&policy), &pod(namespace), &request, &br0());
    judged(Some("shop")).unwrap();
    judged(Some("shop-2")).unwrap_err();
    judged(None).unwrap_err();
}

#[test]
fn a_rule_for_a_service_account_covers_only_whom_the_api_server_calls_so() {
    let policy = parse(
        "[[rule]]\ncaller = \"serviceaccount:shop/till-*\"\nuplink = \"any\"\nkind = \"any\"",
    )
    .unwrap();
    let request = request(attachment(bridge("br0")));
    let judged = |caller: &Caller| judge(Some(&policy), caller, &request, &br0());
    judged(&with("till-1")).unwrap();
    judged(&with("default")).unwrap_err();
    // Nobody was asked: it is none that a rule names.
    judged(&pod(Some("shop"))).unwrap_err();
    assert!(policy.names_accounts());
}

#[test]
fn a_ban_on_a_service_account_bans_pods_whose_account_nobody_knows() {
    let policy = parse(
        "[[rule]]\naction = \"deny\"\ncaller = \"serviceaccount:shop/guest\"\n\
         [[rule]]\ncaller = \"namespace:*\"\nuplink = \"any\"\nkind = \"any\"",
    )
    .unwrap();
    let request = request(attachment(bridge("br0")));
    let judged = |caller: &Caller| judge(Some(&policy), caller, &request, &br0());
    judged(&with("till-1")).unwrap();
    judged(&pod(Some("bank"))).unwrap();
    judged(&with("guest")).unwrap_err();
    judged(&pod(Some("shop"))).unwrap_err();
}

#[test]
fn control_characters_of_a_namespace_reach_no_terminal() {
    let tenant = pod(Some("a\u{1b}[2J\n\u{202e}"));
    let request = request(attachment(bridge("br0")));
    let error = judge(None, &tenant, &request, &br0()).unwrap_err();
    let printable = |c: char| c == '\n' || (' '..='~').contains(&c);
    assert!(!error.to_string().contains(|c| !printable(c) || c == '\n'));
    assert!(error.hint().unwrap().chars().all(printable));
}

#[test]
fn a_program_needs_a_policy_that_lists_it_and_no_pod_may_have_one() {
    let mut wanted = request(attachment(bridge("br0")));
    let program: crate::request::DhcpProgram = "/sbin/udhcpc".parse().unwrap();
    wanted.attachments[0].dhcp.program = Some(asked(program));
    for caller in [Caller::Runtime, Caller::Person] {
        let error = judge(None, &caller, &wanted, &br0()).unwrap_err();
        assert!(
            matches!(error, PolicyError::ProgramUnlisted { .. }),
            "{error}"
        );
    }
    let rule = "[[rule]]\ncaller=\"any\"\nuplink=\"any\"\nkind=\"any\"\ndhcp-programs=";
    let listed = parse(&format!("{rule}[\"/sbin/udhcpc\"]")).unwrap();
    assert!(judge(Some(&listed), &Caller::Runtime, &wanted, &br0()).is_ok());
    let tenant = of(&[("io.kubernetes.cri.whatever", "")]);
    let error = judge(Some(&listed), &tenant, &wanted, &br0()).unwrap_err();
    assert!(matches!(error, PolicyError::NeverForPods { .. }), "{error}");
    for wrong in ["\"any\"", "[\"udhcpc\"]", "[\"/bin/sh\"]", "[\"/sbin/*\"]"] {
        assert!(parse(&format!("{rule}{wrong}")).is_err(), "{wrong}");
    }
}

#[test]
fn a_network_cannot_give_a_program_by_the_way() {
    let mut wanted = request(attachment(bridge("br0")));
    let program: crate::request::DhcpProgram = "/sbin/udhcpc".parse().unwrap();
    let origin = crate::request::Origin::Network {
        key: "networks.d/lan.toml:3 dhcp.program".to_owned(),
        value: program.to_string(),
    };
    wanted.attachments[0].dhcp.program = Some(crate::request::Asked {
        value: program,
        origin,
    });
    let text = "[[rule]]\ncaller=\"any\"\nnetwork=\"lan\"\nuplink=\"any\"\nkind=\"any\"\n";
    assert!(root_asks(text, &wanted, &br0()).is_err());
}

#[test]
fn nobody_waits_whom_no_rule_lets_wait() {
    let mut asks = attachment(bridge("br0"));
    asks.wait = Some(asked(std::time::Duration::from_secs(40)));
    let (shop, other) = (pod(Some("shop")), pod(Some("other")));
    let text = "[[rule]]\ncaller=\"namespace:shop\"\nuplink=\"eth9\"\nwait=[\"0-40\"]\n";
    let rules = Policy::parse(Path::new("/p"), text.as_bytes()).unwrap();
    // What it waits for is judged once it is there.
    assert!(may_wait(Some(&rules), &shop, &asks));
    assert!(!may_wait(Some(&rules), &other, &asks));
    assert!(!may_wait(None, &shop, &asks));
    assert!(may_wait(None, &Caller::Runtime, &asks));
    assert!(!may_wait(None, &Caller::CrioPod, &asks));
}
