//! Behaviour of the rule parser.

use super::*;

fn refused(text: &str) -> String {
    text.parse::<Rule>().unwrap_err().to_string()
}

fn shown(text: &str) -> String {
    text.parse::<Rule>().unwrap().to_string()
}

#[test]
fn every_word_is_read() {
    let text = "not from 10.0.0.5/32 to 10.9.0.0/16 iif eth1 oif eth1 fwmark 0x1/0xff \
                ipproto tcp sport 1000-2000 dport 80-80 lookup 100 priority 500 \
                suppress_prefixlength 0";
    assert_eq!(shown(text), text);
}

#[test]
fn the_other_words_of_ip_rule_say_the_same() {
    for text in [
        "from 10.0.0.5 table 100 pref 5",
        "order 5 from 10.0.0.5/32 to all lookup 100",
        "preference 5 lookup 100 from 10.0.0.5",
    ] {
        assert_eq!(shown(text), "from 10.0.0.5/32 lookup 100 priority 5");
    }
    assert_eq!(
        shown("fwmark 255 lookup main"),
        "from all fwmark 0xff/0xffffffff lookup main"
    );
}

#[test]
fn a_rule_is_of_ipv4_unless_a_network_says_otherwise() {
    let is_ipv6 = |text: &str| text.parse::<Rule>().unwrap().selector.is_ipv6();
    assert!(!is_ipv6("fwmark 1 lookup 100"));
    assert!(is_ipv6("from ::/0 fwmark 1 lookup 100"));
    assert!(is_ipv6("to fd00::/8 lookup 100"));
}

#[test]
fn networks_of_two_families_are_refused() {
    assert_eq!(
        refused("from 10.0.0.5 to fd00::/8 lookup 100"),
        "from 10.0.0.5/32 and to fd00::/8 are of two address families"
    );
}

#[test]
fn host_bits_are_refused_with_the_repair() {
    assert_eq!(
        refused("from 10.0.0.5/24 lookup 100"),
        "10.0.0.5/24 has bits set behind its prefix; maybe you meant 10.0.0.0/24"
    );
}

#[test]
fn a_rule_without_a_table_is_refused() {
    assert_eq!(
        refused("from 10.0.0.5 priority 5"),
        "a rule needs a table: lookup NUMBER, or lookup main"
    );
}

#[test]
fn unknown_words_are_refused_by_name() {
    let error = refused("from 10.0.0.5 dev eth1 lookup 100");
    assert!(
        error.starts_with("dev is not understood in a rule"),
        "{error}"
    );
}

#[test]
fn a_word_twice_is_refused() {
    assert_eq!(
        refused("from 10.0.0.5 from 10.0.0.6 lookup 100"),
        "from is written twice in one rule"
    );
}

#[test]
fn values_that_the_kernel_would_not_take_are_refused() {
    for text in [
        "lookup 0",
        "lookup x",
        "sport 65535 lookup 1",
        "sport 0 lookup 1",
        "dport 9-8 lookup 1",
        "ipproto 0 lookup 1",
        "ipproto 256 lookup 1",
        "fwmark 0x lookup 1",
        "fwmark 0x+1 lookup 1",
        "fwmark 1/ lookup 1",
        "suppress_prefixlength 129 lookup 1",
        "iif lo lookup 1",
        "priority -1 lookup 1",
        "from lookup 1",
        "from",
    ] {
        assert!(text.parse::<Rule>().is_err(), "{text}");
    }
}

#[test]
fn a_list_is_separated_by_semicolons() {
    let rules = Rule::parse_list("from 10.0.0.5 lookup 1; to 10.9.0.0/16 lookup 2;").unwrap();
    assert_eq!(rules.len(), 2);
    assert_eq!(
        Rule::parse_list("lookup 1;;lookup 2"),
        Err(RuleError::Empty)
    );
}
