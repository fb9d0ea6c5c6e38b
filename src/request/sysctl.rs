//! Kernel settings of one interface: `sysctl.ipv4.conf.LEAF` and
//! `sysctl.ipv6.conf.LEAF` (Documentation/networking/ip-sysctl.rst).
//!
//! The leaf comes from the lists below, never from the user's text, so that
//! no such text becomes part of a path. The lists hold only settings that
//! concern the interface alone.

use std::fmt;

use thiserror::Error;

use super::error::cut;

/// Which half of /proc/sys/net a setting is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// `/proc/sys/net/ipv4/conf`.
    Ipv4,
    /// `/proc/sys/net/ipv6/conf`.
    Ipv6,
}

/// One setting of the interface that is being made.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Sysctl {
    /// Its half of /proc/sys/net.
    pub family: Family,
    /// The file's name, one of [`Family::leaves`].
    pub leaf: &'static str,
    /// What is written to it.
    pub value: i64,
}

/// Why a key and a value are not a setting.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SysctlError {
    /// Not `ipv4.conf.LEAF` or `ipv6.conf.LEAF`.
    #[error("a setting is named sysctl.ipv4.conf.LEAF or sysctl.ipv6.conf.LEAF")]
    Form,
    /// Not in the list of settings that may be written.
    #[error(
        "{family} has no setting {leaf} that may be set here{}",
        did_you_mean(suggestion)
    )]
    UnknownLeaf {
        /// The family that was searched.
        family: Family,
        /// What was written, cut for display.
        leaf: String,
        /// The most similar setting.
        suggestion: Option<&'static str>,
    },
    /// Not an integer that the kernel's tables can hold.
    #[error("{text} is not an integer from -2147483648 to 4294967295")]
    Value {
        /// What was written, cut for display.
        text: String,
    },
}

fn did_you_mean(suggestion: &Option<&'static str>) -> String {
    match suggestion {
        Some(leaf) => format!("; did you mean {leaf}"),
        None => String::new(),
    }
}

impl Family {
    /// The settings that may be written, in alphabetical order.
    pub const fn leaves(self) -> &'static [&'static str] {
        match self {
            Self::Ipv4 => IPV4,
            Self::Ipv6 => IPV6,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
        })
    }
}

impl Sysctl {
    /// The setting for the part of a key behind `sysctl.` and its value.
    pub fn parse(name: &str, value: &str) -> Result<Self, SysctlError> {
        let (family, leaf) = Self::parse_name(name)?;
        let refused = || SysctlError::Value { text: cut(value) };
        let digits = value.strip_prefix('-').unwrap_or(value);
        if !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(refused());
        }
        let value: i64 = value.parse().map_err(|_| refused())?;
        if value < i64::from(i32::MIN) || value > i64::from(u32::MAX) {
            return Err(refused());
        }
        Ok(Self {
            family,
            leaf,
            value,
        })
    }

    /// `ipv4.conf.LEAF` or `ipv6.conf.LEAF`, which [`Sysctl::parse_name`] reads.
    pub fn name(&self) -> String {
        format!("{}.conf.{}", self.family, self.leaf)
    }

    /// Family and leaf of `ipv4.conf.LEAF` or `ipv6.conf.LEAF`.
    pub fn parse_name(name: &str) -> Result<(Family, &'static str), SysctlError> {
        let (family, wanted) = if let Some(leaf) = name.strip_prefix("ipv4.conf.") {
            (Family::Ipv4, leaf)
        } else if let Some(leaf) = name.strip_prefix("ipv6.conf.") {
            (Family::Ipv6, leaf)
        } else {
            return Err(SysctlError::Form);
        };
        match family.leaves().iter().find(|leaf| **leaf == wanted) {
            Some(leaf) => Ok((family, leaf)),
            None => Err(SysctlError::UnknownLeaf {
                family,
                leaf: cut(wanted),
                suggestion: nearest(family, wanted),
            }),
        }
    }
}

/// The most similar setting, if it is similar enough to be a slip of the pen.
fn nearest(family: Family, wanted: &str) -> Option<&'static str> {
    family
        .leaves()
        .iter()
        .map(|leaf| (strsim::jaro_winkler(leaf, wanted), *leaf))
        .filter(|(score, _)| *score > 0.85)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, leaf)| leaf)
}

impl fmt::Display for Sysctl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name(), self.value)
    }
}

/// net/ipv4/devinet.c, `devinet_sysctl`.
const IPV4: &[&str] = &[
    "accept_local",
    "accept_redirects",
    "accept_source_route",
    "arp_accept",
    "arp_announce",
    "arp_filter",
    "arp_ignore",
    "arp_notify",
    "bootp_relay",
    "disable_policy",
    "disable_xfrm",
    "drop_gratuitous_arp",
    "drop_unicast_in_l2_multicast",
    "force_igmp_version",
    "forwarding",
    "igmpv2_unsolicited_report_interval",
    "igmpv3_unsolicited_report_interval",
    "log_martians",
    "medium_id",
    "promote_secondaries",
    "proxy_arp",
    "proxy_arp_pvlan",
    "route_localnet",
    "rp_filter",
    "secure_redirects",
    "send_redirects",
    "shared_media",
    "src_valid_mark",
    "tag",
];

/// net/ipv6/addrconf.c, `addrconf_sysctl`; `mtu` is missing because it is a
/// key of its own.
const IPV6: &[&str] = &[
    "accept_dad",
    "accept_ra",
    "accept_ra_defrtr",
    "accept_ra_from_local",
    "accept_ra_min_hop_limit",
    "accept_ra_mtu",
    "accept_ra_pinfo",
    "accept_ra_rtr_pref",
    "accept_redirects",
    "accept_source_route",
    "addr_gen_mode",
    "autoconf",
    "dad_transmits",
    "disable_ipv6",
    "drop_unicast_in_l2_multicast",
    "drop_unsolicited_na",
    "force_mld_version",
    "force_tllao",
    "forwarding",
    "hop_limit",
    "keep_addr_on_down",
    "max_addresses",
    "mldv1_unsolicited_report_interval",
    "mldv2_unsolicited_report_interval",
    "ndisc_notify",
    "ndisc_tclass",
    "optimistic_dad",
    "proxy_ndp",
    "ra_defrtr_metric",
    "regen_max_retry",
    "router_solicitation_delay",
    "router_solicitation_interval",
    "router_solicitations",
    "suppress_frag_ndisc",
    "temp_prefered_lft",
    "temp_valid_lft",
    "use_optimistic",
    "use_tempaddr",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(name: &str, value: &str) -> String {
        Sysctl::parse(name, value).unwrap_err().to_string()
    }

    #[test]
    fn a_listed_setting_is_read() {
        let sysctl = Sysctl::parse("ipv4.conf.arp_ignore", "1").unwrap();
        assert_eq!((sysctl.family, sysctl.leaf), (Family::Ipv4, "arp_ignore"));
        assert_eq!(sysctl.to_string(), "ipv4.conf.arp_ignore=1");
    }

    #[test]
    fn an_unknown_setting_is_refused_with_the_nearest() {
        assert_eq!(
            refused("ipv4.conf.arp_ignor", "1"),
            "ipv4 has no setting arp_ignor that may be set here; did you mean arp_ignore"
        );
    }

    #[test]
    fn a_path_is_not_a_setting() {
        for name in [
            "ipv4.conf.../all/forwarding",
            "ipv4.ip_forward",
            "net.ipv4.conf.forwarding",
            "kernel.panic",
            "ipv6.conf.mtu",
        ] {
            assert!(Sysctl::parse(name, "1").is_err(), "{name}");
        }
    }

    #[test]
    fn a_value_is_an_integer() {
        assert_eq!(
            Sysctl::parse("ipv6.conf.use_tempaddr", "-1").unwrap().value,
            -1
        );
        for value in ["", "-", "yes", "1 2", "+1", "0x1", "99999999999"] {
            assert!(
                refused("ipv4.conf.tag", value).contains("is not an integer"),
                "{value}"
            );
        }
    }

    #[test]
    fn the_lists_are_sorted_and_without_repetition() {
        for family in [Family::Ipv4, Family::Ipv6] {
            assert!(family.leaves().is_sorted_by(|a, b| a < b));
        }
    }
}
