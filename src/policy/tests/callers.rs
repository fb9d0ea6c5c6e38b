//! Who a caller is, and what it may do without a policy file.

use super::fixtures::*;
use crate::policy::{Caller, PolicyError, judge};

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
    assert_eq!(caller, Caller::Tenant { namespace: None });
}

#[test]
fn a_key_that_merely_begins_like_containerds_makes_a_tenant() {
    assert_eq!(
        of(&[("io.kubernetes.cricket", "")]),
        Caller::Tenant { namespace: None }
    );
}

#[test]
fn a_tenants_namespace_is_read_wherever_it_stands() {
    let namespace = ("io.kubernetes.cri.sandbox-namespace", "shop");
    let other = ("io.kubernetes.cri.sandbox-id", "1");
    let shop = Caller::Tenant {
        namespace: Some("shop".to_owned()),
    };
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
    let tenant = Caller::Tenant {
        namespace: Some("shop".to_owned()),
    };
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
    let judged = |namespace: Option<&str>| {
        let namespace = namespace.map(str::to_owned);
        judge(
            Some(&policy),
            &Caller::Tenant { namespace },
            &request,
            &br0(),
        )
    };
    judged(Some("shop")).unwrap();
    judged(Some("shop-2")).unwrap_err();
    judged(None).unwrap_err();
}

#[test]
fn control_characters_of_a_namespace_reach_no_terminal() {
    let tenant = Caller::Tenant {
        namespace: Some("a\u{1b}[2J\n\u{202e}".to_owned()),
    };
    let request = request(attachment(bridge("br0")));
    let error = judge(None, &tenant, &request, &br0()).unwrap_err();
    let printable = |c: char| c == '\n' || (' '..='~').contains(&c);
    assert!(!error.to_string().contains(|c| !printable(c) || c == '\n'));
    assert!(error.hint().unwrap().chars().all(printable));
}
