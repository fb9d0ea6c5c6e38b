//! Steps for limits of traffic, the guard, the flags of a port, and traffic
//! control of the interface itself.
//!
//! Where there is an end on the host, limits and guard sit there, out of the
//! container's reach; elsewhere limits sit on the interface, where a container
//! with CAP_NET_ADMIN can take them off, and there is no guard. What comes in
//! by a device cannot wait there, so it is led through an intermediate device.
//! Everything is in place before the interface goes up.

mod check;

use std::net::IpAddr;

use super::step::{PortStep, TrafficStep};
use super::{Planner, Side, Step};
use crate::request::tc::Tbf;
use crate::request::{
    Asked, Attachment, Bytes, Family, IfName, MacAddr, Origin, PortOptions, Rate, Traffic,
};
use crate::rt::{Gate, Guard, Hook, Ifb, LinkEnd, PortFlags, Sources};

pub(super) use check::{Place, check, place_of};

/// An Ethernet header and a tag, which come on top of the MTU.
const FRAME_HEADER: u32 = 18;
/// The MTU where no uplink says another one (`ETH_DATA_LEN`).
const USUAL_MTU: u32 = 1500;
/// A burst lasts at least so long at its rate: the timer of the slowest kernel
/// ticks once in 10 ms (`CONFIG_HZ_100`).
const BURST_MS: u64 = 10;
/// And has room for so many full frames.
const BURST_FRAMES: u64 = 10;
/// How long what exceeds a limit may wait: with less, TCP loses so much at once
/// that it pauses.
const QUEUE_MS: u64 = 100;
/// What may wait takes the host's memory.
const LONGEST_QUEUE: u64 = 64 << 20;

/// A switch that was turned on, and who turned it.
fn on(asked: &Option<Asked<bool>>) -> Option<&Origin> {
    let on = asked.as_ref().filter(|asked| asked.value)?;
    Some(&on.origin)
}

/// What the container may send: from its own addresses; from any of a family
/// that is learned, and from any at all where it has none of ours, because it
/// brings its own addressing.
fn guard_of(attachment: &Attachment, mac: MacAddr) -> Guard {
    let (mut v4, mut v6) = (Vec::new(), Vec::new());
    for address in &attachment.addressing.addresses {
        match address.value.addr() {
            IpAddr::V4(address) => v4.push(address),
            IpAddr::V6(address) => v6.push(address),
        }
    }
    let tagged = attachment.trunk.as_ref().map(|asked| asked.value.clone());
    let addressing = &attachment.addressing;
    let learns = |v6| addressing.learns(v6).is_some();
    let brings_its_own = v4.is_empty() && v6.is_empty() && addressing.dynamic.is_empty();
    let ipv4 = match brings_its_own || learns(false) {
        true => Sources::Any,
        false => Sources::Only(v4),
    };
    let ipv6 = match brings_its_own || learns(true) {
        true => Sources::Any,
        false => Sources::Only(v6),
    };
    Guard {
        mac,
        ipv4,
        ipv6,
        asks_for_lease: learns(false),
        tagged,
    }
}

/// The length of a full frame in bytes.
fn frame(mtu: u32) -> u32 {
    mtu.saturating_add(FRAME_HEADER)
}

/// A limit with its burst and its queue.
fn tbf(rate: Rate, burst: Option<&Asked<Bytes>>, mtu: u32) -> Tbf {
    let frames = BURST_FRAMES * u64::from(frame(mtu));
    let usual = Bytes::clamped(rate.bytes_in_ms(BURST_MS).max(frames));
    let burst = burst.map_or(usual, |asked| asked.value);
    let queue = rate.bytes_in_ms(QUEUE_MS).min(LONGEST_QUEUE);
    Tbf {
        rate: Some(rate),
        burst: Some(burst),
        limit: Some(Bytes::clamped(queue + u64::from(burst.get()))),
        ..Tbf::default()
    }
}

/// A device whose traffic is led elsewhere.
struct Device<'a> {
    side: Side,
    ifindex: u32,
    name: &'a IfName,
    /// The interface that it is for.
    ifname: &'a IfName,
    mtu: u32,
}

impl Planner<'_> {
    /// What has to be done to the host's end while it is down.
    pub(super) fn host_traffic(
        &mut self,
        attachment: &Attachment,
        host: &LinkEnd,
        guest: &LinkEnd,
        place: Place,
    ) {
        let Traffic {
            rate_in,
            rate_out,
            burst,
            tc: _,
        } = &attachment.traffic;
        let device = Device {
            side: Side::Host,
            ifindex: host.ifindex,
            name: &host.name,
            ifname: &guest.name,
            mtu: host.mtu.get(),
        };
        let guard = self.guard(attachment, guest.mac, place);
        self.gate(
            &device,
            Hook::Ingress,
            rate_out.as_ref(),
            burst.as_ref(),
            guard,
        );
        match (rate_in, place) {
            (Some(_), Place::Ovs | Place::OvsProcess) => {
                self.gate(
                    &device,
                    Hook::Egress,
                    rate_in.as_ref(),
                    burst.as_ref(),
                    None,
                );
            }
            (Some(rate), Place::Bridge | Place::Alone(_)) => {
                self.shape(&device, rate, burst.as_ref());
            }
            (None, _) => {}
        }
    }

    /// What has to be done to the host's end once it is a port.
    pub(super) fn port_flags(&mut self, attachment: &Attachment, host: &LinkEnd) {
        let PortOptions {
            isolate, hairpin, ..
        } = &attachment.port;
        let (isolate, hairpin) = (on(isolate), on(hairpin));
        let Some(origin) = isolate.or(hairpin) else {
            return;
        };
        let step = PortStep::SetFlags {
            ifindex: host.ifindex,
            name: host.name.clone(),
            flags: PortFlags {
                isolated: isolate.is_some(),
                hairpin: hairpin.is_some(),
            },
        };
        self.push(self.current(), Step::Port(step), origin);
    }

    /// What has to be done to the interface itself while it is down.
    pub(super) fn own_traffic(&mut self, attachment: &Attachment) {
        let Some(interface) = self.plan.interfaces.last() else {
            return;
        };
        let (ifindex, ifname) = (interface.ifindex, interface.ifname.clone());
        let (mtu, has_host_end) = (interface.mtu.get(), interface.hostif.is_some());
        let device = Device {
            side: Side::Guest,
            ifindex,
            name: &ifname,
            ifname: &ifname,
            mtu,
        };
        let Traffic {
            rate_in,
            rate_out,
            burst,
            tc,
        } = &attachment.traffic;
        if !has_host_end {
            self.note_no_guard(attachment);
            self.gate(
                &device,
                Hook::Ingress,
                rate_in.as_ref(),
                burst.as_ref(),
                None,
            );
            if let Some(rate) = rate_out {
                self.shape(&device, rate, burst.as_ref());
            }
        }
        for Asked { value, origin } in tc {
            let step = TrafficStep::AddTc {
                ifindex,
                ifname: ifname.clone(),
                line: Box::new(value.clone()),
            };
            self.push(self.current(), Step::Traffic(step), origin);
        }
        if let Some(origin) = on(&attachment.port.promisc) {
            let step = PortStep::SetPromisc { ifindex, ifname };
            self.push(self.current(), Step::Port(step), origin);
        }
    }

    /// The guard of a port, where one was asked for and can be.
    fn guard<'o>(
        &mut self,
        attachment: &'o Attachment,
        mac: MacAddr,
        place: Place,
    ) -> Option<(Guard, &'o Origin)> {
        let origin = on(&attachment.port.spoofcheck)?;
        match place {
            Place::Bridge | Place::Ovs => {
                self.note_other_addresses(attachment);
                Some((guard_of(attachment, mac), origin))
            }
            Place::OvsProcess | Place::Alone(_) => {
                self.note_no_guard(attachment);
                None
            }
        }
    }

    /// Pods have a guard without asking; where there can be none, it is said.
    fn note_no_guard(&mut self, attachment: &Attachment) {
        if on(&attachment.port.spoofcheck).is_some() {
            self.plan.notices.push(format!(
                "{} is not guarded against forged addresses: no end of it on the host sees its frames",
                attachment.ifname.value
            ));
        }
    }

    fn shape(&mut self, device: &Device<'_>, rate: &Asked<Rate>, burst: Option<&Asked<Bytes>>) {
        let step = TrafficStep::Shape {
            side: device.side,
            ifindex: device.ifindex,
            name: device.name.clone(),
            tbf: tbf(rate.value, burst, device.mtu),
        };
        self.push(self.current(), Step::Traffic(step), &rate.origin);
    }

    /// Guards what goes one way by a device, or limits it by an intermediate
    /// device, or both.
    fn gate(
        &mut self,
        device: &Device<'_>,
        hook: Hook,
        rate: Option<&Asked<Rate>>,
        burst: Option<&Asked<Bytes>>,
        guard: Option<(Guard, &Origin)>,
    ) {
        let place = self.current();
        let ifb = rate.map(|rate| self.ifb(device, rate, burst));
        let (guard, guarded) = guard.unzip();
        let Some(origin) = guarded.or(rate.map(|rate| &rate.origin)) else {
            return;
        };
        let step = TrafficStep::SetGate {
            side: device.side,
            ifindex: device.ifindex,
            name: device.name.clone(),
            hook,
            by: ifb.as_ref().map(|ifb| ifb.name.clone()),
            gate: Box::new(Gate {
                guard,
                redirect: ifb.map(|ifb| ifb.ifindex),
            }),
        };
        self.push(place, Step::Traffic(step), origin);
    }

    /// An intermediate device that limits what is led through it.
    fn ifb(
        &mut self,
        device: &Device<'_>,
        rate: &Asked<Rate>,
        burst: Option<&Asked<Bytes>>,
    ) -> Ifb {
        let ifindex = (self.choose)();
        let ifb = Ifb {
            ifindex,
            name: IfName::of_ifb(ifindex),
        };
        let side = device.side;
        let make = TrafficStep::CreateIfb {
            side,
            ifb: ifb.clone(),
            ifname: device.ifname.clone(),
        };
        self.push(self.current(), Step::Traffic(make), &rate.origin);
        let own = Device {
            side,
            ifindex,
            name: &ifb.name,
            ifname: device.ifname,
            mtu: device.mtu,
        };
        self.shape(&own, rate, burst);
        let raise = TrafficStep::RaiseIfb {
            side,
            ifb: ifb.clone(),
        };
        self.push(self.current(), Step::Traffic(raise), &rate.origin);
        ifb
    }

    /// The guard knows the addresses that were asked for, and one of the link
    /// that is derived from the MAC; settings may give the interface others.
    fn note_other_addresses(&mut self, attachment: &Attachment) {
        if attachment.addressing.addresses.is_empty() {
            return;
        }
        let others = attachment.sysctls.iter().find_map(|asked| {
            let sysctl = &asked.value;
            match (sysctl.family, sysctl.leaf, sysctl.value) {
                (Family::Ipv4, _, _) | (Family::Ipv6, _, 0) => None,
                (Family::Ipv6, "addr_gen_mode", _) => {
                    Some("link-local address but the one that is derived from the MAC")
                }
                (Family::Ipv6, "accept_ra", _) => Some("address that a router advertises"),
                (Family::Ipv6, _, _) => None,
            }
        });
        if let Some(others) = others {
            self.plan.notices.push(format!(
                "spoofcheck of {} lets no {others} pass",
                attachment.ifname.value
            ));
        }
    }
}
