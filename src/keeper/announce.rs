//! Announcements of leased addresses after the first one, where somebody asked
//! for more (`announce`): who started the container has gone by then.

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use super::daemon::Daemon;
use super::held::Held;
use super::serve::close;
use crate::dhcp::v4::Now;
use crate::record::Kept;
use crate::sys::filter::claims_of;
use crate::sys::netns::Netns;
use crate::sys::packet::PacketSocket;
use crate::sys::{arp, ndisc};

/// How long from one to the next (RFC 5227 §1.1, `ANNOUNCE_INTERVAL`).
const INTERVAL: Duration = Duration::from_secs(2);

impl Held {
    /// Its addresses were announced at `now`: it remembers to do so again.
    pub(super) fn announce_again(&mut self, now: Now) {
        let left = self.kept.announces.saturating_sub(1);
        self.announces = (left > 0).then_some((now + INTERVAL, left));
    }
}

impl Daemon {
    /// Announces the addresses of a lease again, if the time has come.
    pub(super) fn announce(&self, held: &mut Held, netns: &Netns, now: Now) {
        let Some((_, left)) = held.announces.filter(|(at, _)| *at <= now) else {
            return;
        };
        held.announces = (left > 1).then_some((now + INTERVAL, left - 1));
        let (ifindex, mac) = (held.kept.id.ifindex, held.kept.mac);
        let four = held.kept.dhcp4.as_ref();
        let mut failed = None;
        if let Some(address) = four.and_then(|kept| kept.applied.address) {
            let told = self.announce4(&held.kept, address.addr(), netns);
            failed = told.err();
        }
        let six = held.kept.dhcp6.as_ref();
        if let Some(address) = six.and_then(|kept| kept.applied.address) {
            let socket = ndisc::open_in(netns, &self.home);
            let told = socket.and_then(|socket| ndisc::advertise(&socket, ifindex, address, mac));
            failed = failed.or(told.err());
        }
        if let Some(error) = failed {
            let ifname = &held.kept.ifname;
            tracing::debug!(%ifname, %error, "an address could not be announced again");
        }
    }

    /// Announces an IPv4 address once, also one beside another of its subnet: the
    /// kernel asks for neighbours by the first address of a subnet alone
    /// (`inet_select_addr`), so its questions announce no other.
    pub(super) fn announce4(
        &self,
        kept: &Kept,
        address: Ipv4Addr,
        netns: &Netns,
    ) -> io::Result<()> {
        let (ifindex, mac) = (kept.id.ifindex, kept.mac);
        let program = claims_of(address, mac.octets());
        let socket = PacketSocket::open_for_arp_in(netns, &self.home, ifindex, &program)?;
        let told = socket.send(&arp::announcement(mac, address));
        close(vec![socket.into()]);
        told
    }
}
