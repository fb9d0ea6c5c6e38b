//! The words behind a route's destination, each read into its type.

use std::net::{IpAddr, Ipv4Addr};

use super::RouteError;
use crate::request::error::cut;

/// `RT_TABLE_DEFAULT`.
const TABLE_DEFAULT: u32 = 253;
/// `RT_TABLE_MAIN`.
const TABLE_MAIN: u32 = 254;
/// `RT_TABLE_LOCAL`, which the kernel keeps itself.
const TABLE_LOCAL: u32 = 255;

/// The words of one route before they are held against each other.
#[derive(Default)]
pub struct Words {
    /// The next hop.
    pub via: Option<IpAddr>,
    /// The metric.
    pub metric: Option<u32>,
    /// The table's number.
    pub table: Option<u32>,
    /// The preferred source.
    pub source: Option<IpAddr>,
    /// Whether `onlink` was there.
    pub onlink: Option<()>,
}

fn put<T>(slot: &mut Option<T>, word: &'static str, value: T) -> Result<(), RouteError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(RouteError::Twice { word }),
    }
}

fn value<'a>(
    words: &mut impl Iterator<Item = &'a str>,
    word: &'static str,
) -> Result<&'a str, RouteError> {
    words.next().ok_or(RouteError::NoValue { word })
}

/// An address that a host can have.
fn unicast(word: &'static str, text: &str) -> Result<IpAddr, RouteError> {
    let refused = || RouteError::Value {
        word,
        text: cut(text),
        expected: "the unicast address of a host",
    };
    let address: IpAddr = text.parse().map_err(|_| refused())?;
    let odd = address.is_multicast()
        || address.is_unspecified()
        || address.is_loopback()
        || address == IpAddr::V4(Ipv4Addr::BROADCAST);
    if odd { Err(refused()) } else { Ok(address) }
}

fn number(word: &'static str, text: &str) -> Result<u32, RouteError> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|_| digits)
        .ok_or_else(|| RouteError::Value {
            word,
            text: cut(text),
            expected: "a number from 0 to 4294967295",
        })
}

fn table(text: &str) -> Result<u32, RouteError> {
    let refused = |expected| RouteError::Value {
        word: "table",
        text: cut(text),
        expected,
    };
    match text {
        "main" => return Ok(TABLE_MAIN),
        "default" => return Ok(TABLE_DEFAULT),
        "local" => return Err(refused("ours to change: the kernel keeps that table")),
        _ => {}
    }
    match number("table", text)? {
        0 => Err(refused("a table: 0 stands for any")),
        TABLE_LOCAL => Err(refused("ours to change: the kernel keeps that table")),
        number => Ok(number),
    }
}

impl Words {
    /// Reads what follows the destination; unknown words and repetitions fail.
    pub fn read<'a>(mut words: impl Iterator<Item = &'a str>) -> Result<Self, RouteError> {
        let mut read = Self::default();
        while let Some(word) = words.next() {
            match word {
                "via" => put(
                    &mut read.via,
                    "via",
                    unicast("via", value(&mut words, "via")?)?,
                )?,
                "metric" => {
                    let text = value(&mut words, "metric")?;
                    put(&mut read.metric, "metric", number("metric", text)?)?;
                }
                "table" => put(
                    &mut read.table,
                    "table",
                    table(value(&mut words, "table")?)?,
                )?,
                "src" => put(
                    &mut read.source,
                    "src",
                    unicast("src", value(&mut words, "src")?)?,
                )?,
                "onlink" => put(&mut read.onlink, "onlink", ())?,
                _ => return Err(RouteError::UnknownWord { word: cut(word) }),
            }
        }
        Ok(read)
    }
}
