//! The words of pipework, the shell script: which are options, and what the
//! others are by their order.
//!
//! There the order is fixed; here an option may stand anywhere. Words behind the
//! last that is known are ignored, as they are there.

use std::time::Duration;

use crate::request::keys::form;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// `IF GUEST ADDRESS [MAC][@VLAN]`.
    Attach(Attach),
    /// `--wait`: until an interface is up and has a carrier.
    Wait {
        /// Which one.
        ifname: String,
        /// For how long; `None` is for ever.
        timeout: Option<Duration>,
    },
    /// Too few words.
    Syntax,
    /// A time that is none.
    Timeout(String),
}

/// One interface.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Attach {
    /// What it is plugged into: a name, or `mac:` and an address.
    pub uplink: String,
    /// The container.
    pub guest: String,
    /// Address and gateway, or a client's name.
    pub address: String,
    /// `MAC[@VLAN]`, without what follows a second `@`.
    pub mac: Option<String>,
    /// The VLAN, or the partition of an InfiniBand interface.
    pub vlan: Option<String>,
    /// `-i`.
    pub ifname: Option<String>,
    /// `-l`.
    pub hostif: Option<String>,
    /// `-a`.
    pub family: Option<String>,
    /// `--direct-phys`.
    pub direct: bool,
    /// `--ensure`: what is there already is no error.
    pub ensure: bool,
    /// `--dad`: refuse an address that another host has.
    pub dad: bool,
}

/// Words with the options among them taken out.
pub(super) struct Parts<'a> {
    /// What the options say, and nothing else yet.
    pub options: Attach,
    /// The others, in their order.
    pub plain: Vec<&'a str>,
    /// `--wait`.
    pub wait: bool,
    /// `--timeout`.
    pub timeout: Option<String>,
}

/// Takes the options out of `words`, wherever they stand.
pub(super) fn take_apart<'a>(words: impl Iterator<Item = &'a str>) -> Parts<'a> {
    let mut options = Attach::default();
    let (mut wait, mut timeout) = (false, None);
    let mut plain = Vec::new();
    let mut words = words;
    while let Some(word) = words.next() {
        let mut value = |place: &mut Option<String>| *place = words.next().map(str::to_owned);
        match word {
            "-i" => value(&mut options.ifname),
            "-l" => value(&mut options.hostif),
            "-a" => value(&mut options.family),
            "--timeout" => value(&mut timeout),
            "--wait" => wait = true,
            "--direct-phys" => options.direct = true,
            "--ensure" => options.ensure = true,
            "--dad" => options.dad = true,
            "--" => {}
            _ => plain.push(word),
        }
    }
    Parts {
        options,
        plain,
        wait,
        timeout,
    }
}

/// Reads the words behind the program's name.
pub fn parse(words: &[&str]) -> Command {
    let Parts {
        options,
        plain,
        wait,
        timeout,
    } = take_apart(words.iter().copied());
    if wait {
        return wait_for(options.ifname, timeout);
    }
    let [uplink, guest, address, rest @ ..] = plain.as_slice() else {
        return Command::Syntax;
    };
    let (mac, vlan) = split_mac(rest.first().copied().unwrap_or_default());
    Command::Attach(Attach {
        uplink: (*uplink).to_owned(),
        guest: (*guest).to_owned(),
        address: (*address).to_owned(),
        mac,
        vlan,
        ..options
    })
}

fn wait_for(ifname: Option<String>, timeout: Option<String>) -> Command {
    let time = |text: &str| {
        // More than a century is for ever, and no clock counts to it.
        let seconds = text
            .parse::<u32>()
            .ok()
            .map(|s| Duration::from_secs(s.into()));
        seconds.or_else(|| form::duration(text))
    };
    let ifname = ifname.unwrap_or_else(|| "eth1".to_owned());
    match timeout {
        None => Command::Wait {
            ifname,
            timeout: None,
        },
        Some(text) => match time(&text) {
            Some(time) => Command::Wait {
                ifname,
                timeout: Some(time),
            },
            None => Command::Timeout(text),
        },
    }
}

/// `MAC@VLAN`, each of which may be missing; a second `@` ends it.
pub(super) fn split_mac(word: &str) -> (Option<String>, Option<String>) {
    let mut parts = word.split('@');
    let mut next = || {
        let part = parts.next().filter(|part| !part.is_empty());
        part.map(str::to_owned)
    };
    (next(), next())
}

/// A program that runs in the container's namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    /// `ip route`.
    Route,
    /// `ip rule`.
    Rule,
    /// `tc`.
    Tc,
}

impl Tool {
    /// The tool that the first word names, if no device bears that name.
    pub fn named(word: &str) -> Option<Self> {
        match word {
            "route" => Some(Self::Route),
            "rule" => Some(Self::Rule),
            "tc" => Some(Self::Tc),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attach(line: &str) -> Attach {
        let words: Vec<&str> = line.split(' ').collect();
        match parse(&words) {
            Command::Attach(attach) => attach,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn options_stand_anywhere() {
        let expected = attach("--direct-phys br1 -i eth2 -l host2 c1 10.0.0.1/24 @5");
        assert!(expected.direct);
        assert_eq!(expected.ifname.as_deref(), Some("eth2"));
        assert_eq!(expected.hostif.as_deref(), Some("host2"));
        for line in [
            "br1 -l host2 -i eth2 c1 10.0.0.1/24 @5 --direct-phys",
            "br1 c1 10.0.0.1/24 -i eth2 @5 --direct-phys -l host2",
        ] {
            assert_eq!(attach(line), expected, "{line}");
        }
    }

    #[test]
    fn what_stands_behind_the_at_is_the_vlan_and_may_be_nothing() {
        let of = |word: &str| {
            let attach = attach(&format!("br1 c1 10.0.0.1/24 {word}"));
            (attach.mac, attach.vlan)
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(of("@"), (None, None));
        assert_eq!(of("@100"), (None, some("100")));
        assert_eq!(of("U:x@200@300"), (some("U:x"), some("200")));
        assert_eq!(of("U:x ignored too"), (some("U:x"), None));
    }

    #[test]
    fn too_few_words_are_answered_with_the_syntax() {
        for line in ["br0", "br0 c1", "--direct-phys", "-i", "-i eth1 br0 c1"] {
            let words: Vec<&str> = line.split(' ').collect();
            assert_eq!(parse(&words), Command::Syntax, "{line}");
        }
        assert_eq!(parse(&[]), Command::Syntax);
    }

    #[test]
    fn a_wait_takes_its_time_in_seconds_or_with_a_unit() {
        let wait = |line: &str| parse(&line.split(' ').collect::<Vec<_>>());
        let of = |ifname: &str, seconds| Command::Wait {
            ifname: ifname.to_owned(),
            timeout: Some(Duration::from_secs(seconds)),
        };
        assert_eq!(wait("--wait --timeout 3"), of("eth1", 3));
        assert_eq!(wait("--wait -i eth2 x y --timeout 2m"), of("eth2", 120));
        assert_eq!(
            wait("--wait --timeout soon"),
            Command::Timeout("soon".to_owned())
        );
    }
}
