//! What a kind of interface cannot have of limits, guard and flags: refused
//! before anything is planned, never left out in silence.

use super::super::error::Unsuited;
use super::super::{PlanError, bridge, dummy, ipoib, ipvlan, macvlan, physical, suits, wifi};
use super::{USUAL_MTU, frame, guard_of, on};
use crate::host::view::{AttachmentView, UplinkView};
use crate::request::{Asked, Attachment, MacAddr, Origin, PortOptions, Traffic, Uplink};

/// What an interface hangs on, as far as traffic is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::plan) enum Place {
    /// A port of a Linux bridge.
    Bridge,
    /// A port of an Open vSwitch bridge. Its root queueing disciplines are
    /// removed by ovs-vswitchd, and so is `ingress`, but not `clsact`
    /// (`netdev_linux_set_qos`, `netdev_linux_set_policing`).
    Ovs,
    /// The same where `ovs-vswitchd` itself switches: its packet socket has a frame
    /// before any rule of the host's end sees it (`__netif_receive_skb_core`).
    OvsProcess,
    /// A device without an end on the host, by what it is called. One that is
    /// handed over loses its queueing disciplines on its way back
    /// (`dev_change_net_namespace`: `dev_shutdown`).
    Alone(&'static str),
}

/// What an interface hangs on, once its uplink is resolved.
pub(in crate::plan) fn place_of(uplink: &Uplink, view: &AttachmentView) -> Place {
    if view.ovs_bridge(uplink).is_some() {
        return match view.ovs_in_kernel() {
            true => Place::Ovs,
            false => Place::OvsProcess,
        };
    }
    match uplink {
        Uplink::Bridge { .. } => Place::Bridge,
        Uplink::Ovs { .. } => Place::Ovs,
        Uplink::Link { .. } if view.nic.is_some() => Place::Alone(wifi::KIND),
        Uplink::Link { .. } if ipoib::is_meant_by_link(&view.uplink) => Place::Alone(ipoib::KIND),
        Uplink::Link { device, .. } => match bridge::meant_by_link(device, &view.uplink) {
            Some(_) => Place::Bridge,
            None if dummy::meant_by_link(device, &view.uplink) => Place::Alone(dummy::KIND),
            None => Place::Alone(macvlan::KIND),
        },
        Uplink::Macvlan { .. } => Place::Alone(macvlan::KIND),
        Uplink::Ipvlan { .. } => Place::Alone(ipvlan::KIND),
        Uplink::Dummy => Place::Alone(dummy::KIND),
        Uplink::Ipoib { .. } => Place::Alone(ipoib::KIND),
        Uplink::Physical { .. } => Place::Alone(physical::KIND),
        Uplink::Wifi { .. } => Place::Alone(wifi::KIND),
    }
}

const PROCESS: &str = "a port of Open vSwitch whose datapath is netdev";
const UNSEEN: &str = "ovs-vswitchd reads frames before the host can judge them";

/// A switch that somebody turned on.
fn written(asked: &Option<Asked<bool>>) -> Option<&Origin> {
    on(asked).filter(|origin| **origin != Origin::Default)
}

/// Fails where something is asked that the place cannot give.
pub(in crate::plan) fn check(
    attachment: &Attachment,
    view: &AttachmentView,
) -> Result<(), PlanError> {
    let place = place_of(&attachment.uplink.value, view);
    check_port(&attachment.port, place)?;
    check_limits(&attachment.traffic, place)?;
    check_lines(&attachment.traffic, place)?;
    check_guard(attachment, place)?;
    let mtu = match &view.uplink {
        UplinkView::Present(device) => device.mtu,
        UplinkView::Absent => USUAL_MTU,
    };
    match &attachment.traffic.burst {
        Some(Asked { value, origin }) if value.get() < frame(mtu) => {
            Err(PlanError::BurstBelowFrame {
                burst: *value,
                frame: frame(mtu),
                origin: origin.clone(),
            })
        }
        Some(_) | None => Ok(()),
    }
}

fn check_port(port: &PortOptions, place: Place) -> Result<(), PlanError> {
    const PORT: &str = suits::OF_A_PORT;
    const NO_HAIRPIN: &str = "Open vSwitch has no such setting";
    let PortOptions {
        isolate,
        hairpin,
        spoofcheck,
        // Of the interface itself; a device that goes back loses it there.
        promisc: _,
    } = port;
    let (kind, refused) = match place {
        Place::Bridge => return Ok(()),
        Place::Ovs => (
            "a port of Open vSwitch",
            vec![(hairpin, "hairpin", NO_HAIRPIN)],
        ),
        Place::OvsProcess => (
            PROCESS,
            vec![
                (hairpin, "hairpin", NO_HAIRPIN),
                (spoofcheck, "spoofcheck", UNSEEN),
            ],
        ),
        Place::Alone(kind) => (
            kind,
            vec![
                (isolate, "isolate", PORT),
                (hairpin, "hairpin", PORT),
                (spoofcheck, "spoofcheck", PORT),
            ],
        ),
    };
    let first = refused
        .into_iter()
        .find_map(|(asked, field, why)| Some((field, why, written(asked)?)));
    match first {
        None => Ok(()),
        Some((field, why, origin)) => Err(PlanError::from(Unsuited::Field {
            field,
            kind,
            why,
            origin: origin.clone(),
        })),
    }
}

/// What the container sends is limited where the host's end receives it.
fn check_limits(traffic: &Traffic, place: Place) -> Result<(), PlanError> {
    match (&traffic.rate_out, place) {
        (Some(rate), Place::OvsProcess) => Err(PlanError::from(Unsuited::Field {
            field: "rate.out",
            kind: PROCESS,
            why: UNSEEN,
            origin: rate.origin.clone(),
        })),
        (Some(_) | None, _) => Ok(()),
    }
}

/// Without an end on the host, limits take the places that lines could take.
fn check_lines(traffic: &Traffic, place: Place) -> Result<(), PlanError> {
    match place {
        Place::Bridge | Place::Ovs | Place::OvsProcess => return Ok(()),
        Place::Alone(_) => {}
    }
    for Asked { value, origin } in &traffic.tc {
        let field = match (&traffic.rate_in, &traffic.rate_out) {
            (_, Some(_)) if value.is_root() => "rate.out",
            (Some(_), _) if value.is_ingress() => "rate.in",
            (_, _) => continue,
        };
        return Err(PlanError::PlaceOfTcTaken {
            line: value.to_string(),
            field,
            origin: origin.clone(),
        });
    }
    Ok(())
}

fn check_guard(attachment: &Attachment, place: Place) -> Result<(), PlanError> {
    let origin = match (place, on(&attachment.port.spoofcheck)) {
        (Place::Bridge | Place::Ovs, Some(origin)) => origin,
        // Nobody asked for it but by default, and there is none.
        (Place::OvsProcess | Place::Alone(_), Some(_)) | (_, None) => {
            return Ok(());
        }
    };
    // How long the program gets does not depend on the hardware address.
    if guard_of(attachment, MacAddr::local([0; 6])).fits() {
        return Ok(());
    }
    Err(PlanError::TooManyAddresses {
        count: attachment.addressing.addresses.len(),
        origin: origin.clone(),
    })
}
