//! A line of the shell script as an annotation has it: without the container, and
//! with every word of it understood.
//!
//! What only a command line can do is refused by name. `route`, `rule` and `tc`
//! run no program here: their words are read into the types that the keys of the
//! same names have, so that they are judged, recorded and taken back as those are.

use std::net::IpAddr;

use super::asked::{Address, Kind, pairs};
use super::error::LineError;
use super::grammar::{Attach, Parts, Tool, split_mac, take_apart};
use super::words::{Macro, split};
use crate::request::error::cut;
use crate::request::{IfName, Route, Rule, TcLine};

/// What a line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// An interface, by the fields that annotations have.
    Interface(Vec<(String, String)>),
    /// Something about an interface.
    Setting {
        /// What.
        setting: Setting,
        /// The interface that it names; `None` where it names none.
        dev: Option<String>,
    },
}

/// What a line says about an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Setting {
    /// `route add`.
    Route(Route),
    /// `rule add`.
    Rule(Rule),
    /// `tc qdisc add` and the like.
    Tc(TcLine),
}

impl Setting {
    /// The field of the key that says the same.
    pub fn field(&self) -> &'static str {
        match self {
            Self::Route(_) => "route",
            Self::Rule(_) => "rule",
            Self::Tc(_) => "tc",
        }
    }
}

impl Line {
    /// Reads a line. `value` says what a macro in it stands for.
    pub fn parse(line: &str, value: &dyn Fn(Macro) -> Option<String>) -> Result<Self, LineError> {
        let words = split(line, value)?;
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        // Whoever pastes a line has that, too.
        let words = words.strip_prefix(&["pipework"]).unwrap_or(&words);
        let first = words.first().copied().unwrap_or_default();
        match (Tool::named(first), words) {
            (Some(Tool::Route), [_, rest @ ..]) => route(rest),
            (Some(Tool::Rule), [_, rest @ ..]) => rule(rest),
            (Some(Tool::Tc), words) => tc(words),
            (_, words) => interface(words),
        }
    }
}

fn interface(words: &[&str]) -> Result<Line, LineError> {
    let Parts {
        options,
        plain,
        wait,
        timeout,
    } = take_apart(words.iter().copied());
    if wait {
        return Err(LineError::CommandLine { option: "--wait" });
    }
    if timeout.is_some() {
        let option = "--timeout";
        return Err(LineError::CommandLine { option });
    }
    if let Some(option @ ("-i" | "-l" | "-a" | "--timeout")) = words.last().copied() {
        let option = option.to_owned();
        return Err(LineError::NoValue { option });
    }
    if let Some(word) = plain.iter().find(|word| word.starts_with('-')) {
        return Err(LineError::Option { word: cut(word) });
    }
    let attach = of_plain(options, &plain)?;
    let address = Address::parse(&attach)?;
    if let Address::Asked { client, .. } = &address
        && let Some(option) = client.ignored.first()
    {
        return Err(LineError::ClientOption {
            client: client.name,
            option: cut(option),
        });
    }
    let kind = kind_of(&attach.uplink);
    let pairs = pairs(&attach, kind, &address, attach.hostif.as_deref());
    match pairs.iter().find(|(_, value)| value.trim().is_empty()) {
        Some((key, _)) => Err(LineError::NoValue {
            option: key.clone(),
        }),
        None => Ok(Line::Interface(pairs)),
    }
}

/// `IF ADDRESS [MAC][@VLAN]`.
fn of_plain(options: Attach, plain: &[&str]) -> Result<Attach, LineError> {
    // Behind the container there would be the address.
    if let [_, guest, address, ..] = plain
        && !is_address(guest)
        && looks_like_address(address)
    {
        return Err(LineError::Guest { word: cut(guest) });
    }
    let (uplink, address, mac) = match plain {
        [uplink, address] => (uplink, address, ""),
        [uplink, address, mac] => (uplink, address, *mac),
        [_, _, _, extra, ..] => return Err(LineError::Extra { word: cut(extra) }),
        [_] | [] => return Err(LineError::TooFew),
    };
    let is_pool = |asked: &str| asked == "pool" || asked.starts_with("pool:");
    if address.split(',').any(is_pool) {
        return Err(LineError::Pool);
    }
    let (mac, vlan) = split_mac(mac);
    Ok(Attach {
        uplink: (*uplink).to_owned(),
        address: (*address).to_owned(),
        mac,
        vlan,
        ..options
    })
}

fn is_address(word: &str) -> bool {
    let attach = Attach {
        address: word.to_owned(),
        ..Attach::default()
    };
    Address::parse(&attach).is_ok()
}

/// One, or one that lacks its prefix length.
fn looks_like_address(word: &str) -> bool {
    let bare = word.split(['/', '@', ',']).next().unwrap_or_default();
    is_address(word) || bare.parse::<IpAddr>().is_ok()
}

/// What can be told by the name alone; any other device is a `link`, which is
/// plugged in as what it turns out to be. Systemd and the kernel call InfiniBand
/// interfaces ib0, ibp1s0 and so on (systemd.net-naming-scheme(7)).
fn kind_of(uplink: &str) -> Kind {
    let rest = uplink.strip_prefix("ib").unwrap_or_default();
    let rest = rest.strip_prefix(['p', 's', 'o']).unwrap_or(rest);
    match rest.starts_with(|c: char| c.is_ascii_digit()) {
        true => Kind::Infiniband,
        false => Kind::Nic,
    }
}

/// The words behind `add`, the only thing that there is to do in a new container.
fn added<'a, 'w>(tool: &'static str, words: &'a [&'w str]) -> Result<&'a [&'w str], LineError> {
    match words {
        ["add", rest @ ..] => Ok(rest),
        [guest, "add", ..] => Err(LineError::Guest { word: cut(guest) }),
        [verb, ..] => Err(LineError::Verb {
            tool,
            verb: cut(verb),
        }),
        [] => Err(LineError::NoValue {
            option: tool.to_owned(),
        }),
    }
}

fn route(words: &[&str]) -> Result<Line, LineError> {
    let (mut dev, mut others) = (None, Vec::new());
    let mut words = added("route", words)?.iter().copied();
    while let Some(word) = words.next() {
        if word != "dev" {
            others.push(word);
            continue;
        }
        let name = words.next().ok_or_else(|| LineError::NoValue {
            option: "dev".to_owned(),
        })?;
        if dev.replace(name.to_owned()).is_some() {
            return Err(LineError::Extra {
                word: format!("dev {}", cut(name)),
            });
        }
    }
    let setting = Setting::Route(others.join(" ").parse()?);
    Ok(Line::Setting { setting, dev })
}

fn rule(words: &[&str]) -> Result<Line, LineError> {
    let rule: Rule = added("rule", words)?.join(" ").parse()?;
    let named = rule.selector.iif.as_ref().or(rule.selector.oif.as_ref());
    let dev = named.map(IfName::to_string);
    let setting = Setting::Rule(rule);
    Ok(Line::Setting { setting, dev })
}

fn tc(words: &[&str]) -> Result<Line, LineError> {
    if let [_, guest, "qdisc" | "class" | "filter", ..] = words {
        return Err(LineError::Guest { word: cut(guest) });
    }
    if let [_, object @ ("qdisc" | "class" | "filter"), verb, ..] = words
        && !matches!(*verb, "add" | "replace")
    {
        return Err(LineError::Verb {
            tool: "tc",
            verb: cut(&format!("{object} {verb}")),
        });
    }
    let line: TcLine = words.join(" ").parse()?;
    let dev = line.dev.as_ref().map(IfName::to_string);
    let setting = Setting::Tc(line);
    Ok(Line::Setting { setting, dev })
}

#[cfg(test)]
mod tests;
