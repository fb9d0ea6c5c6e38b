//! What the physical function of an SR-IOV card is told about one of its
//! virtual functions (rtnetlink, `IFLA_VFINFO_LIST`).
//!
//! Everything here is set on the host, before the function is handed over: the
//! container cannot change it.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::error::cut;
use super::{Asked, Origin, VlanId};

/// Settings of a virtual function; `None` leaves one as it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct VfOptions {
    /// The VLAN that the card tags its frames with; `None` inside is none.
    pub vlan: Option<Asked<Option<VlanId>>>,
    /// Priority of those frames, 0 to 7 (IEEE 802.1p); only with a VLAN.
    pub qos: Option<Asked<u8>>,
    /// It may do what endangers others, such as receive all frames.
    pub trust: Option<Asked<bool>>,
    /// The card drops frames with a foreign sender address.
    pub spoofchk: Option<Asked<bool>>,
    /// The link state that it sees.
    pub link_state: Option<Asked<VfLinkState>>,
    /// The rate that it is guaranteed.
    pub min_tx_rate: Option<Asked<TxRate>>,
    /// The rate that it may reach.
    pub max_tx_rate: Option<Asked<TxRate>>,
}

/// The link state that a virtual function sees (`IFLA_VF_LINK_STATE_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VfLinkState {
    /// That of the physical function.
    Auto,
    /// Always up, so that functions of one card reach each other.
    Enable,
    /// Always down.
    Disable,
}

/// A rate in Mbit/s, at least 1: the unit in which cards count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TxRate(u32);

/// Why a text is no rate of a virtual function.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TxRateError {
    /// Not a number with a unit.
    #[error("{text} is not a rate in bit/s such as 100mbit")]
    Form {
        /// What was written, cut for display.
        text: String,
    },
    /// Not a whole number of Mbit/s, or more of them than a card can be told.
    #[error(
        "{text} is not a whole number of Mbit/s up to 4294967295, which is what cards count in"
    )]
    Unit {
        /// What was written, cut for display.
        text: String,
    },
}

impl VfOptions {
    /// Where the first of them that is asked for was written, with its field.
    pub fn first(&self) -> Option<(&'static str, &Origin)> {
        let Self {
            vlan,
            qos,
            trust,
            spoofchk,
            link_state,
            min_tx_rate,
            max_tx_rate,
        } = self;
        let origins = [
            ("vf.vlan", vlan.as_ref().map(|a| &a.origin)),
            ("vf.qos", qos.as_ref().map(|a| &a.origin)),
            ("vf.trust", trust.as_ref().map(|a| &a.origin)),
            ("vf.spoofchk", spoofchk.as_ref().map(|a| &a.origin)),
            ("vf.link-state", link_state.as_ref().map(|a| &a.origin)),
            ("vf.min-tx-rate", min_tx_rate.as_ref().map(|a| &a.origin)),
            ("vf.max-tx-rate", max_tx_rate.as_ref().map(|a| &a.origin)),
        ];
        let mut asked = origins.into_iter();
        asked.find_map(|(field, origin)| Some((field, origin?)))
    }
}

impl TxRate {
    /// The rate in Mbit/s.
    pub fn mbits(self) -> u32 {
        self.0
    }
}

impl FromStr for TxRate {
    type Err = TxRateError;

    /// In bit/s with the units of tc(8): k, m, g and t are powers of 1000.
    fn from_str(text: &str) -> Result<Self, TxRateError> {
        let form = || TxRateError::Form { text: cut(text) };
        let end = text.find(|c: char| !c.is_ascii_digit());
        let (number, unit) = text
            .split_at_checked(end.unwrap_or(text.len()))
            .ok_or_else(form)?;
        let number: u64 = number.parse().map_err(|_| form())?;
        let unit = unit.to_ascii_lowercase();
        let factor: u64 = match unit.strip_suffix("bit").unwrap_or(&unit) {
            "" => 1,
            "k" => 1_000,
            "m" => 1_000_000,
            "g" => 1_000_000_000,
            "t" => 1_000_000_000_000,
            _ => return Err(form()),
        };
        if number == 0 {
            return Err(form());
        }
        let bits = number
            .checked_mul(factor)
            .filter(|bits| bits.is_multiple_of(1_000_000));
        bits.and_then(|bits| u32::try_from(bits / 1_000_000).ok())
            .map(Self)
            .ok_or_else(|| TxRateError::Unit { text: cut(text) })
    }
}

impl fmt::Display for TxRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} Mbit/s", self.0)
    }
}

impl VfLinkState {
    /// The state of that name in ip-link(8).
    pub fn named(word: &str) -> Option<Self> {
        match word {
            "auto" => Some(Self::Auto),
            "enable" => Some(Self::Enable),
            "disable" => Some(Self::Disable),
            _ => None,
        }
    }
}

impl fmt::Display for VfLinkState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Enable => "enable",
            Self::Disable => "disable",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_counted_in_whole_mbits() {
        for (text, mbits) in [
            ("100mbit", 100),
            ("1G", 1000),
            ("2000000", 2),
            ("5000Kbit", 5),
        ] {
            assert_eq!(text.parse::<TxRate>().unwrap().mbits(), mbits, "{text}");
        }
    }

    #[test]
    fn a_rate_that_no_card_can_be_told_is_refused() {
        for text in ["1500kbit", "1", "4294967296mbit", "18446744073709551615t"] {
            let error = text.parse::<TxRate>().unwrap_err();
            assert!(matches!(error, TxRateError::Unit { .. }), "{text}: {error}");
        }
        for text in ["", "0", "mbit", "10 mbit", "-1", "10mb", "1é"] {
            let error = text.parse::<TxRate>().unwrap_err();
            assert!(matches!(error, TxRateError::Form { .. }), "{text}: {error}");
        }
    }
}
