//! Traffic control in the words of tc(8), parsed into types: `qdisc add`,
//! `class add` and `filter add` on the interface that is being made.
//!
//! Only words that are listed here are understood; any other is refused by
//! name with those that are known, so that no text of a user ever reaches
//! tc(8), which would load BPF objects and files. `replace` is taken for `add`,
//! since the interface is new. A `tc` in front is skipped, as it is pasted.

mod error;
mod filter;
mod handle;
mod htb;
mod netem;
mod qdisc;
mod value;
mod words;

use std::fmt;
use std::str::FromStr;

pub use error::TcError;
pub use filter::{Filter, FilterKind, Key, Place as FilterPlace, Protocol, Verdict};
pub use handle::{Handle, Parent};
pub use htb::{Htb, HtbClass, Minor};
pub use netem::{Delay, Netem, Odds};
pub use qdisc::{Codel, Fifo, FifoBytes, Fq, FqCodel, Prio, QdiscKind, Sfq, Tbf};
pub use value::{Fraction, Nanoseconds, Seconds};

use super::IfName;
use words::{Words, put};

/// Most lines of one interface.
pub const MOST_LINES: usize = 64;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TcLine {
    /// The device that it names, which must be the interface; `None`: none.
    pub dev: Option<IfName>,
    /// What is added to it.
    pub object: TcObject,
}

/// What a line adds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TcObject {
    /// A queueing discipline.
    Qdisc {
        /// Where.
        parent: Parent,
        /// Its number; `None`: the kernel's choice.
        handle: Option<u16>,
        /// What it is.
        kind: QdiscKind,
    },
    /// A class of a queueing discipline; HTB's are the only ones.
    Class {
        /// Where.
        parent: Parent,
        /// Its number.
        classid: Handle,
        /// Its settings.
        kind: HtbClass,
    },
    /// A filter.
    Filter(Filter),
}

impl TcLine {
    /// Every line of a list separated by `;`; a final `;` is allowed.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, TcError> {
        let list = text.trim_end();
        let list = list.strip_suffix(';').unwrap_or(list);
        let count = list.split(';').count();
        if count > MOST_LINES {
            return Err(TcError::TooMany {
                count,
                limit: MOST_LINES,
            });
        }
        list.split(';').map(str::parse).collect()
    }

    /// Whether it takes the place of the root queueing discipline.
    pub fn is_root(&self) -> bool {
        match &self.object {
            TcObject::Qdisc { parent, kind, .. } => {
                *parent == Parent::Root && !kind.is_for_ingress()
            }
            TcObject::Class { .. } | TcObject::Filter(_) => false,
        }
    }

    /// Whether it takes the place where incoming traffic is filtered.
    pub fn is_ingress(&self) -> bool {
        match &self.object {
            TcObject::Qdisc { kind, .. } => kind.is_for_ingress(),
            TcObject::Class { .. } | TcObject::Filter(_) => false,
        }
    }
}

/// What stands between the object and the kind.
#[derive(Default)]
struct Place {
    dev: Option<IfName>,
    parent: Option<Parent>,
    handle: Option<u16>,
    classid: Option<Handle>,
}

impl FromStr for TcLine {
    type Err = TcError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut words = Words::of(text);
        let object = match words.next() {
            Some("tc") => words.next(),
            other => other,
        };
        let object = object.ok_or(TcError::Empty)?;
        if !matches!(object, "qdisc" | "class" | "filter") {
            return Err(TcError::unknown(
                object,
                "tc",
                &["qdisc", "class", "filter"],
            ));
        }
        match words.next() {
            Some("add" | "replace") => {}
            Some(other) => return Err(TcError::unknown(other, "tc", &["add", "replace"])),
            None => return Err(TcError::NoValue { word: "tc" }),
        }
        match object {
            "class" => class(words),
            "filter" => filter::read(words),
            _ => qdisc(words),
        }
    }
}

fn qdisc(mut words: Words<'_>) -> Result<TcLine, TcError> {
    const KNOWN: &[&str] = &["dev", "root", "parent", "handle"];
    let mut place = Place::default();
    while let Some(word) = words.next() {
        match word {
            "dev" => put(&mut place.dev, "dev", words.dev()?)?,
            "root" => put(&mut place.parent, "root", Parent::Root)?,
            "parent" => put(&mut place.parent, "parent", words.value("parent")?)?,
            "handle" => put(&mut place.handle, "handle", words.major("handle")?)?,
            _ if QdiscKind::is_known(word) => return place.qdisc(word, words),
            // Behind these only the name of a kind can follow.
            _ if place.parent.is_some() => {
                return Err(TcError::unknown(word, "qdisc", QdiscKind::NAMES));
            }
            _ => return Err(TcError::unknown(word, "qdisc", KNOWN)),
        }
    }
    Err(TcError::Missing {
        what: "the kind of queueing discipline",
        within: "qdisc",
    })
}

impl Place {
    fn qdisc(self, name: &str, words: Words<'_>) -> Result<TcLine, TcError> {
        let kind = QdiscKind::read(name, words)?;
        let parent = match (self.parent, kind.is_for_ingress()) {
            (None | Some(Parent::Root), true) => Parent::Root,
            (Some(parent), false) => parent,
            (Some(_), true) => return Err(TcError::IngressParent),
            (None, false) => {
                return Err(TcError::Missing {
                    what: "root or parent",
                    within: "qdisc",
                });
            }
        };
        Ok(TcLine {
            dev: self.dev,
            object: TcObject::Qdisc {
                parent,
                handle: self.handle,
                kind,
            },
        })
    }
}

fn class(mut words: Words<'_>) -> Result<TcLine, TcError> {
    const KNOWN: &[&str] = &["dev", "parent", "classid", "htb"];
    let missing = |what| TcError::Missing {
        what,
        within: "class",
    };
    let mut place = Place::default();
    while let Some(word) = words.next() {
        match word {
            "dev" => put(&mut place.dev, "dev", words.dev()?)?,
            "root" => put(&mut place.parent, "root", Parent::Root)?,
            "parent" => put(&mut place.parent, "parent", words.value("parent")?)?,
            "classid" => put(&mut place.classid, "classid", words.value("classid")?)?,
            "htb" => {
                let kind = HtbClass::read(words)?;
                return Ok(TcLine {
                    dev: place.dev,
                    object: TcObject::Class {
                        parent: place.parent.ok_or_else(|| missing("parent"))?,
                        classid: place.classid.ok_or_else(|| missing("classid"))?,
                        kind,
                    },
                });
            }
            _ => return Err(TcError::unknown(word, "class", KNOWN)),
        }
    }
    Err(missing("htb"))
}

impl fmt::Display for TcLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dev = |f: &mut fmt::Formatter<'_>| match &self.dev {
            Some(dev) => write!(f, " dev {dev}"),
            None => Ok(()),
        };
        match &self.object {
            TcObject::Qdisc {
                parent,
                handle,
                kind,
            } => {
                f.write_str("qdisc add")?;
                dev(f)?;
                if !kind.is_for_ingress() {
                    write!(f, " {}", parent.clause())?;
                }
                if let Some(handle) = handle {
                    write!(f, " handle {handle:x}:")?;
                }
                write!(f, " {kind}")
            }
            TcObject::Class {
                parent,
                classid,
                kind,
            } => {
                f.write_str("class add")?;
                dev(f)?;
                write!(f, " {} classid {classid} {kind}", parent.clause())
            }
            TcObject::Filter(filter) => {
                f.write_str("filter add")?;
                dev(f)?;
                write!(f, " {filter}")
            }
        }
    }
}

#[cfg(test)]
mod tests;
