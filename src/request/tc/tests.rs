//! Lines of traffic control: what is understood, what is refused, and that
//! what is shown is read again.

use proptest::prelude::*;

use super::*;

const LINES: &[&str] = &[
    "qdisc add root netem loss 30%",
    "qdisc add dev eth1 root netem delay 100ms 10ms 25% loss 0.1% 25% duplicate 1%",
    "qdisc add root netem limit 500 delay 10ms corrupt 0.000001% reorder 25% 50% gap 5 rate 1mbit",
    "qdisc add root handle 1: tbf rate 10mbit burst 32kb latency 50ms",
    "qdisc add root tbf rate 1.5mbit burst 1600b limit 3000b peakrate 2mbit mtu 1514b",
    "qdisc add parent 1:10 handle 20: fq_codel limit 1000 target 5ms interval 100ms noecn",
    "qdisc add root fq maxrate 100mbit nopacing",
    "qdisc add root codel limit 100 ecn",
    "qdisc add root sfq perturb 10 divisor 1024",
    "qdisc add root prio bands 4 priomap 1 2 2 2 1 2 0 0 1 1 1 1 1 1 1 3",
    "qdisc add root pfifo limit 10",
    "qdisc add root bfifo limit 64kb",
    "qdisc add root handle 1: htb default 30 r2q 1",
    "class add parent 1: classid 1:1 htb rate 6mbit burst 15kb",
    "class add dev eth1 parent 1:1 classid 1:a htb rate 5mbit ceil 6mbit prio 7 quantum 1500b",
    "qdisc add ingress",
    "qdisc add handle ffff: clsact",
    "filter add parent 1: protocol ip prio 1 u32 match ip dst 10.0.0.0/8 flowid 1:10",
    "filter add parent 1: protocol ipv6 u32 match ip6 src fd00::/40 match ip6 dport 53 0xffff flowid 1:1",
    "filter add parent ffff: protocol all prio 5 matchall action police rate 1mbit burst 10kb drop",
    "filter add ingress protocol ip u32 match u8 1 0xff at 9 action drop",
];

fn refused(line: &str) -> String {
    line.parse::<TcLine>().unwrap_err().to_string()
}

#[test]
fn what_is_understood_is_read_again_as_it_is_shown() {
    for line in LINES {
        let read: TcLine = line.parse().unwrap_or_else(|e| panic!("{line}: {e}"));
        assert_eq!(read.to_string().parse(), Ok(read.clone()), "{read}");
    }
}

#[test]
fn a_line_is_shown_in_the_words_of_tc() {
    for (line, shown) in [
        (
            "tc qdisc replace root netem drop random 30",
            "qdisc add root netem loss 30%",
        ),
        (
            "qdisc add root handle 1: tbf rate 1mbps buffer 1024 latency 1s",
            "qdisc add root handle 1: tbf rate 8mbit burst 1kb latency 1s",
        ),
        ("qdisc add root ingress", "qdisc add ingress"),
        (
            "filter add parent 1: pref 1 u32 match ip sport 80 0xffff classid 1:1",
            "filter add parent 1: protocol all prio 1 u32 \
             match u32 0x00500000 0xffff0000 at 20 flowid 1:1",
        ),
    ] {
        assert_eq!(line.parse::<TcLine>().unwrap().to_string(), shown);
    }
}

#[test]
fn an_unknown_word_is_named_with_those_that_are_known() {
    assert_eq!(
        refused("qdisc add root tbf rate 1mbit brust 10kb latency 1ms"),
        "brust is not understood in tbf; known are rate, burst, limit, latency, peakrate, mtu"
    );
    assert_eq!(
        refused("qdisc del root"),
        "del is not understood in tc; known are add, replace"
    );
    assert_eq!(
        refused("monitor"),
        "monitor is not understood in tc; known are qdisc, class, filter"
    );
    assert!(refused("qdisc add root cake").starts_with("cake is not understood in qdisc"));
    assert!(refused("filter add parent 1: bpf obj /tmp/x.o").starts_with("bpf is not understood"));
    assert!(
        refused("qdisc add root netem delay 1ms distribution normal")
            .starts_with("distribution is not understood in netem")
    );
}

#[test]
fn what_is_missing_or_contradicts_is_said() {
    for (line, text) in [
        ("", "a line of traffic control is empty"),
        ("qdisc add netem loss 1%", "qdisc needs root or parent"),
        (
            "qdisc add root",
            "qdisc needs the kind of queueing discipline",
        ),
        (
            "qdisc add root tbf rate 1mbit latency 1ms",
            "tbf needs burst",
        ),
        (
            "qdisc add root tbf rate 1mbit burst 1kb limit 1kb latency 1ms",
            "tbf takes limit or latency, not both",
        ),
        ("qdisc add root netem loss", "loss needs a value"),
        (
            "qdisc add root netem reorder 5%",
            "netem needs delay where there is reorder",
        ),
        (
            "qdisc add root netem delay 100",
            "delay 100 is not a time with the unit ns, us, ms or s, at most an hour",
        ),
        (
            "qdisc add root netem loss 101%",
            "loss 101% is not a share from 0% to 100%",
        ),
        (
            "class add parent 1: classid 1:1 htb ceil 1mbit",
            "htb needs rate",
        ),
        ("class add classid 1:1 htb rate 1mbit", "class needs parent"),
        (
            "qdisc add parent 1: clsact",
            "ingress and clsact take no parent: they have a place of their own",
        ),
        (
            "qdisc add root root fq",
            "root is written twice in one line",
        ),
        (
            "filter add parent 1: matchall",
            "filter needs flowid, drop, pass or police",
        ),
        (
            "filter add ingress matchall police rate 1mbit burst 10kb",
            "police needs drop, for what exceeds the rate",
        ),
        ("filter add parent 1: u32 flowid 1:1", "u32 needs match"),
        (
            "filter add parent 1: u32 match ip src ::1/128 drop",
            "match ::1/128 is not an address of that family, or ADDRESS/LENGTH",
        ),
        (
            "qdisc add root handle 1:1 fq",
            "handle 1:1 is not the number of a queueing discipline such as 1:",
        ),
    ] {
        assert_eq!(refused(line), text, "{line}");
    }
}

#[test]
fn lines_are_separated_by_semicolons() {
    let list =
        "qdisc add root handle 1: htb default 10; class add parent 1: classid 1:10 htb rate 1mbit;";
    assert_eq!(TcLine::parse_list(list).map(|lines| lines.len()), Ok(2));
    assert_eq!(
        TcLine::parse_list("qdisc add root fq;;"),
        Err(TcError::Empty)
    );
    let many = "qdisc add root fq;".repeat(65);
    assert_eq!(
        TcLine::parse_list(&many),
        Err(TcError::TooMany {
            count: 65,
            limit: 64
        })
    );
}

#[test]
fn a_prefix_of_ipv6_is_compared_word_by_word() {
    let line: TcLine = "filter add parent 1: u32 match ip6 dst fd00:1:2::/48 drop"
        .parse()
        .unwrap();
    let TcObject::Filter(Filter {
        kind: FilterKind::U32(keys),
        ..
    }) = line.object
    else {
        panic!("it is a filter");
    };
    let expected = [
        Key {
            mask: 0xffff_ffff,
            value: 0xfd00_0001,
            offset: 24,
        },
        Key {
            mask: 0xffff_0000,
            value: 0x0002_0000,
            offset: 28,
        },
    ];
    assert_eq!(keys, expected);
}

#[test]
fn a_share_is_rounded_as_tc_rounds_it() {
    for (text, share) in [("0%", 0), ("30%", 0x4ccc_cccd), ("100%", u32::MAX)] {
        let fraction = <Fraction as value::Value>::read("loss", text);
        assert_eq!(fraction.map(Fraction::of_u32), Ok(share), "{text}");
    }
}

fn word() -> impl Strategy<Value = String> {
    let known: Vec<String> = LINES
        .iter()
        .flat_map(|line| line.split(' '))
        .map(str::to_owned)
        .collect();
    prop_oneof![
        20 => proptest::sample::select(known),
        1 => "[0-9a-f:.%x]{0,12}",
        1 => any::<String>(),
    ]
}

proptest! {
    #[test]
    fn no_text_panics_and_what_is_accepted_is_read_again(text in any::<String>()) {
        let _ = TcLine::parse_list(&text);
    }

    #[test]
    fn shuffled_words_do_not_panic_either(words in proptest::collection::vec(word(), 0..12)) {
        let text = words.join(" ");
        if let Ok(line) = text.parse::<TcLine>() {
            prop_assert_eq!(line.to_string().parse(), Ok(line));
        }
    }

    #[test]
    fn a_line_whose_words_are_replaced_does_not_panic(
        line in proptest::sample::select(LINES),
        place in 0..20_usize,
        other in word(),
    ) {
        let mut words: Vec<&str> = line.split(' ').collect();
        if let Some(word) = words.get_mut(place) {
            *word = &other;
        }
        if let Ok(line) = words.join(" ").parse::<TcLine>() {
            prop_assert_eq!(line.to_string().parse(), Ok(line));
        }
    }
}
