//! The words behind a route's destination, each read into its type.

use std::net::IpAddr;

use crate::request::words::{WordError, Words, number, table, unicast};

/// The words of one route before they are held against each other.
#[derive(Default)]
pub struct RouteWords {
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

impl RouteWords {
    /// Reads what follows the destination; unknown words and repetitions fail.
    pub fn read<'a>(words: impl Iterator<Item = &'a str>) -> Result<Self, WordError> {
        let mut words = Words::new(words, "route");
        let mut read = Self::default();
        while let Some(word) = words.next() {
            match word {
                "via" => {
                    let via = unicast("via", words.value("via")?)?;
                    words.put(&mut read.via, "via", via)?;
                }
                "metric" => {
                    let metric = number("metric", words.value("metric")?)?;
                    words.put(&mut read.metric, "metric", metric)?;
                }
                "table" => {
                    let table = table(words.value("table")?)?;
                    words.put(&mut read.table, "table", table)?;
                }
                "src" => {
                    let source = unicast("src", words.value("src")?)?;
                    words.put(&mut read.source, "src", source)?;
                }
                "onlink" => words.put(&mut read.onlink, "onlink", ())?,
                other => return Err(words.unknown(other, "via, metric, table, src, onlink")),
            }
        }
        Ok(read)
    }
}
