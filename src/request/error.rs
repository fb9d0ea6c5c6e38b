//! Why a request cannot be taken: one variant per thing that its author can
//! mend. The text names the whole key and the value; `hint` says what to do.

mod hint;
mod value;

use thiserror::Error;

use super::annotations::PREFIX;
use super::ifname::IfNameError;
use super::network::NetworkName;

pub use value::ValueError;

/// Before the keys of Kubernetes' own that we read.
const KUBERNETES: &str = "kubernetes.io/";
/// Longest text of a user that an error repeats, in characters.
const SHOWN: usize = 60;

/// A text of a user as an error shows it: control characters escaped, and cut
/// at 60 characters with an ellipsis.
pub fn cut(text: &str) -> String {
    let mut shown = String::new();
    for character in text.chars().take(SHOWN) {
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

/// Why annotations are not a request.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RequestError {
    /// A key has a character that Kubernetes would refuse.
    #[error(
        "{} contains {character:?}; allowed are letters, digits, '.', '_' and '-'",
        key_of(key)
    )]
    KeyCharacter {
        /// The key, cut for display.
        key: String,
        /// The first such character.
        character: char,
    },
    /// A key is longer than Kubernetes allows.
    #[error("{} has {length} characters; the limit is 63", key_of(key))]
    KeyTooLong {
        /// The key, cut for display.
        key: String,
        /// Its length.
        length: usize,
    },
    /// A key with nothing between two dots or at its end.
    #[error("{} has an empty part", key_of(key))]
    KeyEmptyPart {
        /// The key.
        key: String,
    },
    /// No field has this name.
    #[error(
        "{} names no field of pipework{}",
        key_of(key),
        did_you_mean(suggestion)
    )]
    UnknownField {
        /// The key.
        key: String,
        /// A whole key that is most likely meant.
        suggestion: Option<String>,
    },
    /// A field's name stands where an interface's belongs.
    #[error(
        "{}: {field} is a field, so it cannot stand for an interface",
        key_of(key)
    )]
    FieldAsInterface {
        /// The key.
        key: String,
        /// The field.
        field: &'static str,
    },
    /// A number that is not 0 to 99, or with leading zeros.
    #[error(
        "{}: interfaces are numbered 0 to 99 without leading zeros, not {number}",
        key_of(key)
    )]
    InterfaceNumber {
        /// The key.
        key: String,
        /// What was written.
        number: String,
    },
    /// What stands for the interface is no name.
    #[error("{}: {reason}", key_of(key))]
    Selector {
        /// The key.
        key: String,
        /// Why not.
        #[source]
        reason: IfNameError,
    },
    /// Two of the three ways to write interfaces in one request.
    #[error(
        "{} mix two forms: use one interface, numbers or names",
        both("annotation keys", first, second)
    )]
    MixedForms {
        /// A key of one form.
        first: String,
        /// A key of another.
        second: String,
    },
    /// More interfaces than anybody means.
    #[error("{count} interfaces are asked for; the limit is 100")]
    TooManyInterfaces {
        /// How many.
        count: usize,
    },
    /// Nothing behind the key.
    #[error("{} has an empty value", written(key))]
    EmptyValue {
        /// The key.
        key: String,
    },
    /// A value beyond 4096 bytes.
    #[error("{} has a value of {length} bytes; the limit is 4096", written(key))]
    ValueTooLong {
        /// The key.
        key: String,
        /// Its length in bytes.
        length: usize,
    },
    /// A line break or the like in a value.
    #[error("{}={value} contains the control character {}", written(key), character.escape_default())]
    ControlCharacter {
        /// The key.
        key: String,
        /// The value, cut for display.
        value: String,
        /// The first such character.
        character: char,
    },
    /// A second annotation inside the value of the first.
    #[error("{}={value} holds two annotations in one", written(key))]
    TwoInOne {
        /// The key.
        key: String,
        /// The value, cut for display.
        value: String,
    },
    /// A value of the wrong form.
    #[error("{}={value}: {reason}", written(key))]
    Value {
        /// The key.
        key: String,
        /// The value, cut for display.
        value: String,
        /// What is wrong.
        #[source]
        reason: Box<ValueError>,
    },
    /// A field of the table that nothing reads.
    #[error("{}={value}: {what} is not supported by this build", written(key))]
    NotSupported {
        /// The key.
        key: String,
        /// The value, cut for display.
        value: String,
        /// The feature.
        what: &'static str,
    },
    /// A network that nobody has defined.
    #[error("{}={network}: no network of that name is defined", written(key))]
    NoNetwork {
        /// The key.
        key: String,
        /// The network.
        network: NetworkName,
    },
    /// A field that a network does not leave to its containers.
    #[error("{}={value}: network {network} {}", written(key), closed(says.as_ref()))]
    Closed {
        /// The key.
        key: String,
        /// The value, cut for display.
        value: String,
        /// The network.
        network: NetworkName,
        /// What it says itself, and where.
        says: Option<String>,
    },
    /// `pool`, and nothing that says whose.
    #[error(
        "{}={value}: which network's pool? write pool:NAME, or use one by pipework.net",
        written(key)
    )]
    WhosePool {
        /// The key.
        key: String,
        /// The value, cut for display.
        value: String,
    },
    /// A network without a pool.
    #[error(
        "{}={value}: network {network} has no [[pool]], so it gives no addresses",
        written(key)
    )]
    NoPool {
        /// The key.
        key: String,
        /// The value, cut for display.
        value: String,
        /// The network.
        network: NetworkName,
    },
    /// Two annotations that cannot both hold.
    #[error("{}: {why}", contradiction(first, second))]
    Conflict {
        /// Key and value of one.
        first: String,
        /// Key and value of the other.
        second: String,
        /// What they disagree on.
        why: &'static str,
    },
    /// A rule about an interface that is not the one of these annotations.
    #[error(
        "{}={value}: {named} is not the interface that it belongs to, which is {ifname}",
        written(key)
    )]
    RuleOfAnother {
        /// The key.
        key: String,
        /// The value, cut for display.
        value: String,
        /// The interface in the rule.
        named: String,
        /// The interface of the annotations.
        ifname: String,
    },
    /// Two rules, one of which the kernel would take away in the other's place.
    #[error("the rules {first} and {second} cannot be told apart when one of them is taken back")]
    RulesAlike {
        /// One.
        first: String,
        /// The other.
        second: String,
    },
    /// An interface that is plugged into nothing.
    #[error(
        "{} asks for an interface without an uplink: one of {uplinks} is needed",
        written(key)
    )]
    NoUplink {
        /// The first key of the interface.
        key: String,
        /// The keys that name an uplink.
        uplinks: String,
    },
    /// A field that says something about a gateway that is not there.
    #[error("{}={value} needs {family} gateway, and none is given", written(key))]
    NoGateway {
        /// The key.
        key: String,
        /// The value, cut for display.
        value: String,
        /// `a`, `an IPv4` or `an IPv6`.
        family: &'static str,
    },
    /// IPv6 needs 1280 bytes (RFC 8200 §5).
    #[error(
        "{}={value} is too small for {address}: IPv6 needs an MTU of at least 1280",
        written(key)
    )]
    MtuForIpv6 {
        /// The key.
        key: String,
        /// The value.
        value: String,
        /// The first IPv6 address or gateway.
        address: String,
    },
    /// A field that says something about another one, which is missing.
    #[error("{} says something about {other}, which is not given", written(first))]
    NeedsAnother {
        /// Key and value.
        first: String,
        /// The field that is missing.
        other: &'static str,
    },
    /// A child of an InfiniBand interface has the address of its queue pair.
    #[error(
        "{}={value}: the address of an IPoIB interface cannot be set",
        written(key)
    )]
    IpoibMac {
        /// The key.
        key: String,
        /// The value, cut for display.
        value: String,
    },
    /// Two interfaces of one name.
    #[error("{first} and {second} both make an interface called {name}")]
    DuplicateInterface {
        /// The name.
        name: String,
        /// Where one is asked for.
        first: String,
        /// Where the other is.
        second: String,
    },
}

/// What a network answers to a field that it does not leave open.
fn closed(says: Option<&String>) -> String {
    match says {
        Some(says) => format!("says that itself: {says}"),
        None => "does not leave that to its containers".to_owned(),
    }
}

/// One line of the shell script may say both.
fn contradiction(first: &str, second: &str) -> String {
    match first == second {
        true => format!("{} contradicts itself", written(first)),
        false => {
            let both = both("annotations", first, second);
            format!("{both} contradict each other")
        }
    }
}

/// Whether a key, or what begins with one, is an annotation's: a word of a command
/// line is a bare field, and a network's file is named with its field.
fn is_annotation(text: &str) -> bool {
    text.starts_with(PREFIX) || text.starts_with(KUBERNETES)
}

/// A key, or what begins with one, as who wrote it knows it.
pub(super) fn written(text: &str) -> String {
    match is_annotation(text) {
        true => format!("annotation {text}"),
        false => text.to_owned(),
    }
}

fn key_of(key: &str) -> String {
    match is_annotation(key) {
        true => format!("annotation key {key}"),
        false => key.to_owned(),
    }
}

/// Both, behind `words` where they are annotations.
fn both(words: &str, first: &str, second: &str) -> String {
    match is_annotation(first) && is_annotation(second) {
        true => format!("{words} {first} and {second}"),
        false => format!("{first} and {second}"),
    }
}

fn did_you_mean(suggestion: &Option<String>) -> String {
    match suggestion {
        Some(key) => format!("; did you mean {key}"),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_with_an_ellipsis() {
        assert_eq!(cut(&"a".repeat(60)), "a".repeat(60));
        assert_eq!(cut(&"ä".repeat(61)), format!("{}…", "ä".repeat(60)));
    }

    #[test]
    fn a_line_break_is_shown_as_an_escape() {
        assert_eq!(cut("a\nb"), "a\\nb");
    }
}
