//! Why a line of the shell script cannot stand in an annotation.

use thiserror::Error;

use super::asked::AddressFault;
use crate::request::error::cut;
use crate::request::route::RouteError;
use crate::request::rule::RuleError;
use crate::request::tc::TcError;

/// What is wrong with a line. The annotation is named by whoever shows it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LineError {
    /// A quote without its other half.
    #[error("the quote {quote} is opened and not closed")]
    Quote {
        /// Which one.
        quote: char,
    },
    /// Nothing is called so.
    #[error("@{name}@ is no macro: @CONTAINER_NAME@, @CONTAINER_ID@ and @HOSTNAME@ are")]
    NoMacro {
        /// Between the `@`, cut for display.
        name: String,
    },
    /// The container has none, or nobody can say.
    #[error("@{name}@ is not known here")]
    NotKnown {
        /// Between the `@`.
        name: String,
    },
    /// A value with characters of the grammar in it.
    #[error("@{name}@ is {value:?} here, which a line has other meanings for")]
    Unfit {
        /// Between the `@`.
        name: String,
        /// What it stands for, cut for display.
        value: String,
    },
    /// Words are missing.
    #[error("an interface and an address are needed, such as br0 10.0.0.5/24")]
    TooFew,
    /// The script's second word.
    #[error("{word} stands in the container's place, and the line is about its own: leave it out")]
    Guest {
        /// The word.
        word: String,
    },
    /// An option of the command line alone.
    #[error("{option} is for the command line")]
    CommandLine {
        /// The option.
        option: &'static str,
    },
    /// Something that looks like an option.
    #[error("{word} is no option: -i, -l, -a, --direct-phys, --ensure and --dad are")]
    Option {
        /// The word.
        word: String,
    },
    /// An option at the end.
    #[error("{option} needs a value")]
    NoValue {
        /// The option.
        option: String,
    },
    /// Words behind the last that means something.
    #[error("{word} means nothing behind the others")]
    Extra {
        /// The first of them.
        word: String,
    },
    /// An address without a prefix length.
    #[error("{text} has no prefix length; maybe you meant {text}/24")]
    NoNetmask {
        /// What was written.
        text: String,
    },
    /// The family is not that of the address, or none.
    #[error("-a {family} does not go with {address}: it is 4 or 6, and can be left out")]
    Family {
        /// What `-a` says.
        family: String,
        /// The address.
        address: String,
    },
    /// An option of a DHCP client.
    #[error("the built-in client has no option like {client}'s {option}")]
    ClientOption {
        /// The client.
        client: &'static str,
        /// The option.
        option: String,
    },
    /// Something else than `add`.
    #[error("{tool} {verb} is not carried out in an annotation, where only {tool} add is")]
    Verb {
        /// `route`, `rule` or `tc`.
        tool: &'static str,
        /// The word behind it.
        verb: String,
    },
    /// A route, or the words around it.
    #[error(transparent)]
    Route(#[from] RouteError),
    /// A rule.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// A line of traffic control.
    #[error(transparent)]
    Tc(#[from] TcError),
    /// Nothing is plugged in that it could be about.
    #[error("no interface is asked for that it could be about")]
    NoInterface,
    /// An interface that is not ours to configure.
    #[error("{dev} is none of the interfaces that are asked for: {ours}")]
    NotOurs {
        /// What was written.
        dev: String,
        /// Those that are.
        ours: String,
    },
    /// Several that it could be about.
    #[error("it could be about any of {ours}")]
    Which {
        /// Those that there are.
        ours: String,
        /// The field of the key that says of which.
        field: &'static str,
    },
    /// The address of a pool.
    #[error("a line has no addresses of pools")]
    Pool,
}

impl From<AddressFault> for LineError {
    fn from(fault: AddressFault) -> Self {
        match fault {
            AddressFault::NoNetmask(text) => Self::NoNetmask { text: cut(&text) },
            AddressFault::Family { family, address } => Self::Family {
                family: cut(&family),
                address: cut(&address),
            },
        }
    }
}

impl LineError {
    /// What to do about it, where the text does not say so already.
    pub fn hint(&self) -> Option<String> {
        let of_field = |field: &str| {
            let explained = format!("`pipework keys {field}` says which words are understood");
            Some(format!("{explained}, and pipework.{field} takes them too"))
        };
        match self {
            Self::Route(_) => of_field("route"),
            Self::Rule(_) => of_field("rule"),
            Self::Tc(_) => of_field("tc"),
            Self::Verb { tool: "tc", .. } => of_field("tc"),
            Self::Verb { tool, .. } => Some(format!(
                "a new container has nothing to change yet; pipework.{tool} says what it shall have"
            )),
            Self::CommandLine {
                option: "--wait" | "--timeout",
            } => Some("pipework.wait=30s waits for an uplink, beside pipework.link".to_owned()),
            // A rule is for whatever its words select, so none of them says whose it is.
            Self::Which { field: "rule", .. } => {
                Some("write the key rule of the one that it shall end with".to_owned())
            }
            Self::Which { field, .. } => Some(format!(
                "name it with dev, or write the key {field} of one interface"
            )),
            Self::Pool => Some("pipework.ip=pool has, and pipework.net names whose".to_owned()),
            Self::NotKnown { name } if name == "CONTAINER_NAME" => {
                Some("pipework.name says what the container is called".to_owned())
            }
            Self::ClientOption { .. } => {
                Some("leave it out; `pipework keys dhcp` lists what there is".to_owned())
            }
            Self::Quote { .. }
            | Self::NoMacro { .. }
            | Self::NotKnown { .. }
            | Self::Unfit { .. }
            | Self::TooFew
            | Self::Guest { .. }
            | Self::CommandLine { .. }
            | Self::Option { .. }
            | Self::NoValue { .. }
            | Self::Extra { .. }
            | Self::NoNetmask { .. }
            | Self::Family { .. }
            | Self::NoInterface
            | Self::NotOurs { .. } => None,
        }
    }
}
