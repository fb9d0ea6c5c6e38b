//! Whether another host has an address that a server gave (RFC 5227 §2.1), as a
//! machine without I/O: the time goes in, and what to do comes out.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::v4::Now;
use crate::request::{ArpProbe, MacAddr};
use crate::sys::arp::ArpPacket;

/// How long the fast probe waits for its answer.
const FAST_ANSWER: Duration = Duration::from_millis(200);
/// RFC 5227 §1.1: `PROBE_WAIT`, `PROBE_NUM`, `PROBE_MIN`, `PROBE_MAX`,
/// `ANNOUNCE_WAIT`.
const PROBE_WAIT: Duration = Duration::from_secs(1);
const PROBE_NUM: u32 = 3;
const PROBE_MIN: Duration = Duration::from_secs(1);
const PROBE_MAX: Duration = Duration::from_secs(2);
const ANNOUNCE_WAIT: Duration = Duration::from_secs(2);

/// A probe under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    address: Ipv4Addr,
    next: Now,
    /// How many are still to be sent.
    left: u32,
    /// How long to listen after the last.
    answer: Duration,
    random: u64,
}

/// What is to be done about a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing yet.
    Wait,
    /// Ask for this address.
    Ask(Ipv4Addr),
    /// Nobody has it.
    Clear,
}

impl Probe {
    /// A probe for `address` that begins at `now`. `random` spreads the waits
    /// of many that begin together.
    pub fn new(kind: ArpProbe, address: Ipv4Addr, now: Now, random: u64) -> Self {
        let (wait, left, answer) = match kind {
            ArpProbe::Off => (Duration::ZERO, 0, Duration::ZERO),
            ArpProbe::Fast => (Duration::ZERO, 1, FAST_ANSWER),
            ArpProbe::Rfc => (part_of(PROBE_WAIT, random), PROBE_NUM, ANNOUNCE_WAIT),
        };
        Self {
            address,
            next: now + wait,
            left,
            answer,
            random,
        }
    }

    /// When [`Probe::on_time`] has something to say.
    pub fn wakes_at(&self) -> Now {
        self.next
    }

    /// What is to be done at `now`.
    pub fn on_time(&mut self, now: Now) -> Verdict {
        if now < self.next {
            return Verdict::Wait;
        }
        if self.left == 0 {
            return Verdict::Clear;
        }
        self.left -= 1;
        self.random = self.random.rotate_left(17).wrapping_mul(5).wrapping_add(1);
        self.next = now
            + match self.left {
                0 => self.answer,
                _ => PROBE_MIN + part_of(PROBE_MAX - PROBE_MIN, self.random),
            };
        Verdict::Ask(self.address)
    }

    /// The hardware address of another host that says it has the address, or
    /// probes for it at the same time. What came from ourselves says nothing.
    pub fn hears(&self, packet: &ArpPacket, own: MacAddr) -> Option<MacAddr> {
        let is_probe = packet.sender.is_unspecified() && packet.target == self.address;
        let claims = packet.sender == self.address || is_probe;
        if !claims || packet.sender_mac == own.octets() {
            return None;
        }
        let mac = MacAddr::try_from(packet.sender_mac);
        // A sender that no host can have is shown as near to it as can be.
        Some(mac.unwrap_or(MacAddr::local(packet.sender_mac)))
    }
}

/// RFC 5227 §1.1: `DEFEND_INTERVAL`.
const DEFEND_INTERVAL: Duration = Duration::from_secs(10);

/// Listens for other hosts that claim an address while it is in use (§2.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watch {
    address: Ipv4Addr,
    defended_at: Option<Now>,
}

/// What is to be done about another host's claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// Announce the address once; the other host may give way.
    Defend(MacAddr),
    /// It insists: use the address no more.
    GiveUp(MacAddr),
}

impl Watch {
    /// For an address that is in use from now on.
    pub fn new(address: Ipv4Addr) -> Self {
        Self {
            address,
            defended_at: None,
        }
    }

    /// The address.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// What is to be done about a packet at `now`; `None` where it claims
    /// nothing, or is our own. It is defended against the first claim, and
    /// given up at the second within ten seconds (§2.4 b).
    pub fn hears(&mut self, packet: &ArpPacket, own: MacAddr, now: Now) -> Option<Claim> {
        if packet.sender != self.address || packet.sender_mac == own.octets() {
            return None;
        }
        let mac = MacAddr::try_from(packet.sender_mac);
        let mac = mac.unwrap_or(MacAddr::local(packet.sender_mac));
        let defended = self.defended_at.replace(now);
        let is_recent = defended.is_some_and(|at| now < at + DEFEND_INTERVAL);
        Some(match is_recent {
            true => Claim::GiveUp(mac),
            false => Claim::Defend(mac),
        })
    }
}

/// A random part of a time.
fn part_of(time: Duration, random: u64) -> Duration {
    let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    Duration::from_micros(random % micros.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 5);
    const OWN: MacAddr = MacAddr::local([2, 0, 0, 0, 0, 1]);

    fn run(kind: ArpProbe, random: u64) -> (Vec<Now>, Now) {
        let mut probe = Probe::new(kind, ADDRESS, Duration::ZERO, random);
        let mut asked = Vec::new();
        loop {
            let now = probe.wakes_at();
            match probe.on_time(now) {
                Verdict::Ask(address) => asked.push((address == ADDRESS).then_some(now).unwrap()),
                Verdict::Clear => return (asked, now),
                Verdict::Wait => panic!("woken for nothing"),
            }
        }
    }

    fn packet(mac: u8, sender: Ipv4Addr, target: Ipv4Addr) -> ArpPacket {
        ArpPacket {
            sender_mac: [2, 0, 0, 0, 0, mac],
            sender,
            target,
        }
    }

    #[test]
    fn the_fast_probe_asks_once_and_ends_after_a_fifth_of_a_second() {
        let ms = Duration::from_millis(200);
        assert_eq!(run(ArpProbe::Fast, 7), (vec![Duration::ZERO], ms));
        assert_eq!(run(ArpProbe::Off, 7), (vec![], Duration::ZERO));
    }

    #[test]
    fn the_probe_of_the_rfc_keeps_its_waits_whatever_is_drawn() {
        for random in [0, 1, 999_999, u64::MAX, 0x1234_5678_9abc_def0] {
            let (asked, clear) = run(ArpProbe::Rfc, random);
            let [first, second, third] = asked[..] else {
                panic!("{asked:?}");
            };
            assert!(first <= PROBE_WAIT);
            for wait in [second - first, third - second] {
                assert!((PROBE_MIN..=PROBE_MAX).contains(&wait), "{wait:?}");
            }
            assert_eq!(clear - third, ANNOUNCE_WAIT);
        }
    }

    #[test]
    fn who_has_the_address_or_wants_it_too_is_heard_and_an_echo_is_not() {
        let probe = Probe::new(ArpProbe::Fast, ADDRESS, Duration::ZERO, 1);
        let nobody = Ipv4Addr::UNSPECIFIED;
        let other = Ipv4Addr::new(10, 0, 0, 9);
        let hears = |packet| probe.hears(&packet, OWN).map(|mac| mac.octets()[5]);
        assert_eq!(hears(packet(2, ADDRESS, other)), Some(2));
        assert_eq!(hears(packet(2, nobody, ADDRESS)), Some(2));
        assert_eq!(hears(packet(1, ADDRESS, other)), None);
        assert_eq!(hears(packet(1, nobody, ADDRESS)), None);
        assert_eq!(hears(packet(2, other, ADDRESS)), None);
        assert_eq!(hears(packet(2, nobody, other)), None);
    }

    #[test]
    fn a_claim_is_met_once_in_ten_seconds_and_then_believed() {
        let mut watch = Watch::new(ADDRESS);
        let other = Ipv4Addr::new(10, 0, 0, 9);
        let at = Duration::from_secs;
        let claim = packet(2, ADDRESS, ADDRESS);
        assert_eq!(watch.hears(&packet(1, ADDRESS, ADDRESS), OWN, at(0)), None);
        assert_eq!(watch.hears(&packet(2, other, ADDRESS), OWN, at(0)), None);
        let probe = packet(2, Ipv4Addr::UNSPECIFIED, ADDRESS);
        assert_eq!(
            watch.hears(&probe, OWN, at(0)),
            None,
            "it asks, and is answered"
        );
        let is_met = |claim| matches!(claim, Some(Claim::Defend(_)));
        assert!(is_met(watch.hears(&claim, OWN, at(1))));
        assert!(is_met(watch.hears(&claim, OWN, at(11))));
        let believed = watch.hears(&claim, OWN, at(20));
        assert!(matches!(believed, Some(Claim::GiveUp(mac)) if mac.octets()[5] == 2));
    }
}
