//! The end of leases where nobody keeps them: given back if that was asked for,
//! and forgotten.

use crate::deadline::Deadline;
use crate::dhcp::frame::SERVER_PORT;
use crate::dhcp::v4::{Action, Event, Machine};
use crate::dhcp::v6;
use crate::keeper;
use crate::record::{Kept, Record, Store};
use crate::reference::LeaseId;
use crate::sys::clock;
use crate::sys::udp::UdpSocket;
use crate::sys::udp6::Udp6Socket;

/// Ends the leases of a namespace whose record has ended. With a daemon there,
/// that is its business.
pub(in crate::attach) fn end_leases(record: &Record, store: &Store, deadline: Deadline) {
    let ids = record.attachments.iter().map(|attachment| LeaseId {
        namespace: record.key.clone(),
        ifindex: attachment.ifindex,
    });
    let kept: Vec<Kept> = ids
        .filter_map(|id| store.lease(&id).ok().flatten())
        .collect();
    if kept.is_empty() || keeper::is_there(deadline) {
        return;
    }
    for kept in kept {
        if kept.release {
            give_back(&kept);
            give_back6(&kept);
        }
        if let Err(error) = store.forget_lease(&kept.id) {
            tracing::warn!(%error, "the file of a lease that ended stays");
        }
    }
}

/// Sends a RELEASE from the host: the namespace is gone, and servers go by what
/// stands in the message. Nobody answers it (RFC 2131 §4.4.6).
fn give_back(kept: &Kept) {
    let Some(dhcp4) = &kept.dhcp4 else { return };
    let Some(bound) = &dhcp4.bound else { return };
    let mut machine = Machine::resume(dhcp4.config.clone(), bound.clone(), 1);
    let Ok(socket) = UdpSocket::anywhere() else {
        return;
    };
    for action in machine.on(&Event::Release, clock::since_boot()) {
        if let Action::Unicast { server, message } = action
            && let Err(error) = socket.send(&message.write(), server, SERVER_PORT)
        {
            tracing::warn!(%server, %error, "the lease was not given back");
        }
    }
}

/// The same to all servers on the link that the host shares with it: they know a
/// client by what is in the message.
fn give_back6(kept: &Kept) {
    let Some(dhcp6) = &kept.dhcp6 else { return };
    let Some(bound) = &dhcp6.bound else { return };
    let mut machine = v6::Machine::resume(dhcp6.config.clone(), bound.clone(), 1);
    let Ok(socket) = Udp6Socket::anywhere(kept.uplink) else {
        return;
    };
    for action in machine.on(&v6::Event::Release, clock::since_boot()) {
        if let v6::Action::Send { message, .. } = action
            && let Err(error) = socket.send(&message.write(), v6::ALL_SERVERS, v6::SERVER_PORT)
        {
            tracing::warn!(%error, "the lease was not given back");
        }
    }
}
