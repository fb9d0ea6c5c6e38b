//! Settings of the kernel for an interface, held against what was asked for.

use std::io;

use super::lost::Lost;
use super::settings::Now;
use crate::error::Error;
use crate::host::inspect::InspectError;
use crate::request::{Family, IfName, Sysctl};
use crate::sys::netns::Netns;
use crate::sys::rtnl::Rtnl;
use crate::sys::sysctl;

/// What the kernel counts in its own ticks it tells rounded up to one, which
/// lasts 10 ms at most (`CONFIG_HZ_100`; `proc_dointvec_ms_jiffies`).
const LONGEST_TICK_MS: i64 = 10;
/// Those settings, all in milliseconds.
const IN_TICKS: &[&str] = &[
    "mldv1_unsolicited_report_interval",
    "mldv2_unsolicited_report_interval",
];

/// A namespace, and the one to come back to: files below /proc/sys are those of
/// the namespace that the reader is in.
pub struct Inside<'a> {
    /// Where to look.
    pub netns: &'a Netns,
    /// Where we are.
    pub home: &'a Netns,
}

/// What the setting is, where it is another than it was asked to be; nothing where
/// this release knows no such setting.
pub fn lost(name: &str, value: i64, now: &Now<'_>) -> Result<Option<Lost>, Error> {
    let Ok((family, leaf)) = Sysctl::parse_name(name) else {
        return Ok(None);
    };
    // A name that is none of ours would be a path.
    let Ok(ifname) = now.link.name.parse::<IfName>() else {
        return Ok(None);
    };
    let Inside { netns, home } = now.inside;
    let told = netns.inside(home, || sysctl::read(family, &ifname, leaf));
    let has = match told.and_then(|told| told) {
        Ok(text) => text.parse().ok(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => {
            let name = name.to_owned();
            return Err(InspectError::Sysctl { name, error }.into());
        }
    };
    let was = Sysctl {
        family,
        leaf,
        value,
    };
    Ok(
        (!has.is_some_and(|has| is_what(&was, has))).then_some(Lost::Sysctl {
            ifindex: now.link.ifindex,
            was,
            now: has,
        }),
    )
}

fn is_what(asked: &Sysctl, has: i64) -> bool {
    match asked.family == Family::Ipv6 && IN_TICKS.contains(&asked.leaf) {
        true => (0..=LONGEST_TICK_MS).contains(&(has - asked.value)),
        false => has == asked.value,
    }
}

/// Sets it anew, by the name that the interface has by now.
pub async fn give_back(
    ifindex: u32,
    was: &Sysctl,
    guest: &Rtnl,
    inside: &Inside<'_>,
) -> Result<(), String> {
    let link = guest.link_by_index(ifindex).await;
    let link = link.map_err(|error| error.to_string())?;
    let ifname = link.and_then(|link| link.name.parse::<IfName>().ok());
    let ifname = ifname.ok_or("it is gone")?;
    let value = was.value.to_string();
    let write = || sysctl::write(was.family, &ifname, was.leaf, &value);
    let written = inside.netns.inside(inside.home, write);
    let written = written.and_then(|written| written);
    written.map_err(|error| format!("{}: {error}", was.name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_rounds_to_its_ticks_is_what_was_asked_for() {
        let [plain, ticks] = [("ipv4.conf.tag", "1001"), (IN_TICKS[0], "1001")];
        let ticks = (format!("ipv6.conf.{}", ticks.0), ticks.1);
        let plain = Sysctl::parse(plain.0, plain.1).unwrap();
        let ticks = Sysctl::parse(&ticks.0, ticks.1).unwrap();
        for has in [1001, 1004, 1010] {
            assert!(is_what(&ticks, has), "{has}");
            assert_eq!(is_what(&plain, has), has == 1001, "{has}");
        }
        assert!(!is_what(&ticks, 1000));
        assert!(!is_what(&ticks, 1012));
    }
}
