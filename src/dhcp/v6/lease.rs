//! What a server of DHCPv6 gave: an address for a time, and what belongs to it.
//!
//! Read with suspicion, as `dhcp::lease` reads IPv4's. The prefix length is
//! always 128: what else is on the link, and who routes, is told by routers
//! alone (RFC 5942 §4).

use std::net::Ipv6Addr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::options::{Ia, IaAddress, Options, Status, code};
use super::wire::Message;
use crate::dhcp::names;

/// `0xffffffff` seconds are for ever (RFC 8415 §7.7).
pub const FOREVER: u32 = u32::MAX;
/// A lease of no time at all would have us ask without end.
const LEAST_SECS: u32 = 10;
/// What SOL_MAX_RT and INF_MAX_RT may be (RFC 8415 §21.24).
const MAX_RT: std::ops::RangeInclusive<u32> = 60..=86_400;

/// An address for a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The address.
    pub address: Ipv6Addr,
    /// The server's DUID.
    pub server: Vec<u8>,
    /// Where the server takes what would else go to all (RFC 8415 §21.12).
    pub unicast: Option<Ipv6Addr>,
    /// Its times.
    pub times: Times,
    /// What else it said.
    pub information: Information,
}

/// Seconds from the answer; [`FOREVER`] is for ever. `renewal <= rebinding <=
/// valid` and `preferred <= valid`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    /// T1, from when the server is asked for more.
    pub renewal: u32,
    /// T2, from when any server is.
    pub rebinding: u32,
    /// For how long new connections use the address.
    pub preferred: u32,
    /// When it must not be used any more.
    pub valid: u32,
}

/// What a server says that is no address.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Information {
    /// Name servers.
    pub dns: Vec<Ipv6Addr>,
    /// Search domains.
    pub search: Vec<String>,
    /// Time servers.
    pub ntp: Vec<Ipv6Addr>,
    /// Seconds after which it is asked for again, where no address is.
    pub refresh: Option<u32>,
}

/// Why an answer holds no lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// No option 2, so that nobody could be asked for more.
    #[error("it does not say which server it is from")]
    NoServer,
    /// It speaks of no association of ours, or breaks the rules for one.
    #[error("it says nothing of our addresses")]
    NoAssociation,
    /// The association has no address that a host can have.
    #[error("it gives no address that could be used")]
    NoAddress,
    /// The server refused.
    #[error("it says {0}")]
    Refused(Status),
}

impl Lease {
    /// The lease of the association `iaid` that an Advertise or Reply
    /// describes.
    pub fn of(message: &Message, iaid: u32) -> Result<Self, Unusable> {
        let options = &message.options;
        let server = options.get(code::SERVER_ID).ok_or(Unusable::NoServer)?;
        refused(options.status().0)?;
        let ia = association(options, iaid).ok_or(Unusable::NoAssociation)?;
        refused(ia.status)?;
        let usable = ia.addresses.iter().find(|given| is_usable(given));
        let given = usable.ok_or(Unusable::NoAddress)?;
        Ok(Self {
            address: given.address,
            server: server.to_vec(),
            unicast: unicast(options),
            times: times(&ia, given),
            information: Information::of(options),
        })
    }

    /// The same lease when `elapsed` of its time is over; `None` when all is.
    pub fn aged(&self, elapsed: Duration) -> Option<Self> {
        let elapsed = u32::try_from(elapsed.as_secs()).unwrap_or(FOREVER - 1);
        let rest = |secs: u32| match secs {
            FOREVER => FOREVER,
            secs => secs.saturating_sub(elapsed),
        };
        let Times {
            renewal,
            rebinding,
            preferred,
            valid,
        } = self.times;
        let times = Times {
            renewal: rest(renewal),
            rebinding: rest(rebinding),
            preferred: rest(preferred),
            valid: rest(valid),
        };
        let lease = Self {
            times,
            ..self.clone()
        };
        (times.valid > 0).then_some(lease)
    }
}

fn refused(status: Status) -> Result<(), Unusable> {
    match status {
        Status::Success => Ok(()),
        other => Err(Unusable::Refused(other)),
    }
}

/// Our association; one whose times contradict each other is as good as none
/// (RFC 8415 §21.4).
pub(super) fn association(options: &Options, iaid: u32) -> Option<Ia> {
    let mut all = options.all(code::IA_NA).filter_map(Ia::read);
    let ia = all.find(|ia| ia.iaid == iaid)?;
    let is_sound = ia.t1 == 0 || ia.t2 == 0 || ia.t1 <= ia.t2;
    is_sound.then_some(ia)
}

fn is_usable(given: &IaAddress) -> bool {
    is_host(given.address) && given.valid > 0 && given.preferred <= given.valid
}

/// An address that a host can have on a link and beyond.
pub(super) fn is_host(address: Ipv6Addr) -> bool {
    let odd = address.is_unspecified()
        || address.is_loopback()
        || address.is_multicast()
        || address.is_unicast_link_local()
        || address.to_ipv4_mapped().is_some();
    !odd
}

fn unicast(options: &Options) -> Option<Ipv6Addr> {
    let bytes: [u8; 16] = options.get(code::SERVER_UNICAST)?.try_into().ok()?;
    Some(Ipv6Addr::from(bytes)).filter(|address| is_host(*address))
}

/// Half and four fifths of the preferred time where the server leaves it to us
/// (RFC 8415 §21.4).
fn times(ia: &Ia, given: &IaAddress) -> Times {
    let valid = given.valid.max(LEAST_SECS);
    let basis = match given.preferred {
        0 => valid,
        preferred => preferred.max(LEAST_SECS),
    };
    let share = |basis: u32, numerator: u32, denominator: u32| match basis {
        FOREVER => FOREVER,
        basis => basis / denominator * numerator,
    };
    let rebinding = match ia.t2 {
        0 => share(basis, 4, 5).max(ia.t1),
        given => given,
    };
    let rebinding = rebinding.min(valid);
    let renewal = match ia.t1 {
        0 => share(basis, 1, 2),
        given => given,
    };
    Times {
        renewal: renewal.min(rebinding),
        rebinding,
        preferred: given.preferred,
        valid,
    }
}

impl Information {
    /// What the options of an answer say.
    pub fn of(options: &Options) -> Self {
        let mut dns = options.addresses(code::DNS_SERVERS);
        dns.retain(|server| is_server(*server));
        Self {
            dns,
            search: options
                .get(code::DOMAIN_LIST)
                .map(names::search_list)
                .unwrap_or_default(),
            ntp: ntp(options),
            refresh: options.long(code::INFORMATION_REFRESH_TIME),
        }
    }
}

fn is_server(address: Ipv6Addr) -> bool {
    is_host(address) || address.is_unicast_link_local()
}

/// The addresses among the time servers: suboption 1 (RFC 5908 §4.1).
fn ntp(options: &Options) -> Vec<Ipv6Addr> {
    const ADDRESS: u16 = 1;
    let all = options.all(code::NTP_SERVER).filter_map(Options::read);
    all.flat_map(|one| one.addresses(ADDRESS))
        .filter(|server| is_server(*server))
        .collect()
}

/// What a server says of how long to wait at most between two Solicits or
/// Information-requests.
pub(super) fn max_rt(options: &Options, code: u16) -> Option<Duration> {
    let secs = options.long(code).filter(|secs| MAX_RT.contains(secs));
    secs.map(|secs| Duration::from_secs(secs.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dhcp::v6::wire::MessageType;

    fn reply(ia: &Ia) -> Message {
        let mut message = Message::new(MessageType::Reply, 1);
        message.options.push(code::SERVER_ID, [0, 3, 0, 1, 9]);
        message.options.push(code::IA_NA, ia.write());
        message
    }

    fn ia(t1: u32, t2: u32, preferred: u32, valid: u32) -> Ia {
        Ia {
            iaid: 1,
            t1,
            t2,
            addresses: vec![IaAddress {
                address: "2001:db8::5".parse().unwrap(),
                preferred,
                valid,
            }],
            status: Status::Success,
        }
    }

    fn times_of(t1: u32, t2: u32, preferred: u32, valid: u32) -> (u32, u32) {
        let times = Lease::of(&reply(&ia(t1, t2, preferred, valid)), 1)
            .unwrap()
            .times;
        assert!(times.renewal <= times.rebinding && times.rebinding <= times.valid);
        (times.renewal, times.rebinding)
    }

    #[test]
    fn times_that_the_server_leaves_to_us_are_shares_of_the_preferred_one() {
        assert_eq!(times_of(0, 0, 1000, 2000), (500, 800));
        assert_eq!(times_of(100, 200, 1000, 2000), (100, 200));
        assert_eq!(times_of(900, 0, 1000, 2000), (900, 900));
        assert_eq!(times_of(0, 100, 1000, 2000), (100, 100));
        assert_eq!(times_of(5000, 9000, 1000, 2000), (2000, 2000));
        assert_eq!(times_of(0, 0, FOREVER, FOREVER), (FOREVER, FOREVER));
        assert_eq!(times_of(0, 0, 0, 1000), (500, 800));
    }

    #[test]
    fn an_ipv6_lease_below_ten_seconds_is_used_as_one_of_ten() {
        for (given, used) in [(1, 10), (9, 10), (10, 10), (11, 11)] {
            let lease = Lease::of(&reply(&ia(0, 0, given, given)), 1).unwrap();
            assert_eq!(lease.times.valid, used, "{given}");
            assert_eq!(lease.times.preferred, given);
            assert_eq!((lease.times.renewal, lease.times.rebinding), (5, 8));
        }
    }

    #[test]
    fn an_association_whose_times_contradict_each_other_is_none() {
        let lease = Lease::of(&reply(&ia(300, 200, 1000, 2000)), 1);
        assert_eq!(lease, Err(Unusable::NoAssociation));
        let lease = Lease::of(&reply(&ia(0, 0, 1000, 2000)), 2);
        assert_eq!(lease, Err(Unusable::NoAssociation));
    }

    #[test]
    fn an_address_that_no_host_can_have_is_none() {
        for address in ["::", "::1", "ff02::1", "fe80::1", "::ffff:10.0.0.1"] {
            let mut ia = ia(0, 0, 1000, 2000);
            ia.addresses[0].address = address.parse().unwrap();
            assert_eq!(Lease::of(&reply(&ia), 1), Err(Unusable::NoAddress));
        }
        let withdrawn = Lease::of(&reply(&ia(0, 0, 0, 0)), 1);
        assert_eq!(withdrawn, Err(Unusable::NoAddress));
        let odd = Lease::of(&reply(&ia(0, 0, 2000, 1000)), 1);
        assert_eq!(odd, Err(Unusable::NoAddress));
    }

    #[test]
    fn a_status_of_the_association_is_a_refusal() {
        let mut value = ia(0, 0, 1000, 2000).write();
        value.extend([0, 13, 0, 2, 0, 2]);
        let mut message = Message::new(MessageType::Advertise, 1);
        message.options.push(code::SERVER_ID, [0, 3, 0, 1, 9]);
        message.options.push(code::IA_NA, value);
        let refused = Err(Unusable::Refused(Status::NoAddrsAvail));
        assert_eq!(Lease::of(&message, 1), refused);
    }

    #[test]
    fn an_aged_lease_has_the_rest_of_its_time() {
        let lease = Lease::of(&reply(&ia(100, 200, 1000, 2000)), 1).unwrap();
        let aged = lease.aged(Duration::from_secs(150)).unwrap().times;
        let rest = (aged.renewal, aged.rebinding, aged.preferred, aged.valid);
        assert_eq!(rest, (0, 50, 850, 1850));
        assert_eq!(lease.aged(Duration::from_secs(2000)), None);
    }

    #[test]
    fn domains_that_could_break_a_file_are_left_out() {
        let mut options = Options::default();
        options.push(code::DOMAIN_LIST, *b"\x03lan\0\x05a\nb.c\0");
        assert_eq!(Information::of(&options).search, ["lan"]);
    }
}
