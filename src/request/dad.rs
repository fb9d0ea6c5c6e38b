//! Whether an address is asked for on the link before it is taken, and for how
//! long (RFC 5227 §2.1, RFC 4862 §5.4).

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

use super::error::cut;

/// How long to listen where nobody says, in milliseconds: one probe, and time
/// for an answer by a busy neighbour.
const DEFAULT_MS: u16 = 200;
/// The longest, in milliseconds; RFC 5227 would have 7 s.
const MOST_MS: u16 = 10_000;

/// Detection of duplicate addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dad {
    /// None.
    Off,
    /// Ask and listen, for all addresses of the interface at once.
    Arp {
        /// For how long in all, 1 to 10,000 milliseconds.
        ms: u16,
    },
}

/// The text is neither `off` nor `arp[:MILLISECONDS]`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text} is not off or arp[:MILLISECONDS], 1 to {MOST_MS}")]
pub struct DadError {
    /// What was written, cut for display.
    pub text: String,
}

impl Dad {
    /// How long to ask and listen; zero for not at all.
    pub fn time(self) -> Duration {
        match self {
            Self::Off => Duration::ZERO,
            Self::Arp { ms } => Duration::from_millis(ms.into()),
        }
    }
}

impl FromStr for Dad {
    type Err = DadError;

    fn from_str(text: &str) -> Result<Self, DadError> {
        let refused = || DadError { text: cut(text) };
        match text.split_once(':') {
            None if text == "off" => Ok(Self::Off),
            None if text == "arp" => Ok(Self::Arp { ms: DEFAULT_MS }),
            Some(("arp", ms)) => {
                // `parse` takes a sign.
                let digits = ms.bytes().all(|b| b.is_ascii_digit());
                let ms = ms.parse().ok().filter(|_| digits);
                ms.filter(|ms| (1..=MOST_MS).contains(ms))
                    .map(|ms| Self::Arp { ms })
                    .ok_or_else(refused)
            }
            None | Some(_) => Err(refused()),
        }
    }
}

impl fmt::Display for Dad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Arp { ms } => write!(f, "arp:{ms}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_a_fifth_of_a_second_unless_it_is_given() {
        assert_eq!("arp".parse(), Ok(Dad::Arp { ms: 200 }));
        assert_eq!("arp:1500".parse(), Ok(Dad::Arp { ms: 1500 }));
        assert_eq!("off".parse(), Ok(Dad::Off));
    }

    #[test]
    fn times_that_are_none_are_refused() {
        for text in [
            "",
            "arp:",
            "arp:0",
            "arp:10001",
            "arp:+5",
            "ARP",
            "off:5",
            "nd",
        ] {
            assert!(text.parse::<Dad>().is_err(), "{text}");
        }
    }
}
