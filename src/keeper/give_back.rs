//! A RELEASE from the host, where the interface that had the lease is gone:
//! servers go by what stands in the message, and nobody answers it
//! (RFC 2131 §4.4.6, RFC 8415 §18.2.7).

use crate::dhcp::frame::SERVER_PORT;
use crate::dhcp::{v4, v6};
use crate::record::Kept;
use crate::sys::clock::since_boot;
use crate::sys::udp::UdpSocket;
use crate::sys::udp6::Udp6Socket;

/// Gives back both leases of an interface, as far as it has them.
pub fn give_back(kept: &Kept) {
    give_back4(kept);
    give_back6(kept);
}

/// That of IPv4, if there is one.
pub(super) fn give_back4(kept: &Kept) {
    let Some(dhcp4) = &kept.dhcp4 else { return };
    let Some(bound) = &dhcp4.bound else { return };
    let mut machine = v4::Machine::resume(dhcp4.config.clone(), bound.clone(), 1);
    let Ok(socket) = UdpSocket::anywhere() else {
        return;
    };
    for action in machine.on(&v4::Event::Release, since_boot()) {
        if let v4::Action::Unicast { server, message } = action
            && let Err(error) = socket.send(&message.write(), server, SERVER_PORT)
        {
            tracing::warn!(%server, %error, "the lease was not given back");
        }
    }
}

/// That of IPv6, to all servers on the link that the host shares with it: they know a
/// client by what is in the message.
pub(super) fn give_back6(kept: &Kept) {
    let Some(dhcp6) = &kept.dhcp6 else { return };
    let Some(bound) = &dhcp6.bound else { return };
    let mut machine = v6::Machine::resume(dhcp6.config.clone(), bound.clone(), 1);
    let Ok(socket) = Udp6Socket::anywhere(kept.uplink) else {
        return;
    };
    for action in machine.on(&v6::Event::Release, since_boot()) {
        if let v6::Action::Send { message, .. } = action
            && let Err(error) = socket.send(&message.write(), v6::ALL_SERVERS, v6::SERVER_PORT)
        {
            tracing::warn!(%error, "the lease was not given back");
        }
    }
}
