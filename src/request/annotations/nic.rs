//! The fields about a device that is handed over itself, about its virtual
//! function, and about a child of an InfiniBand interface.

use super::entry::Entry;
use super::fields::{Fields, Plug, Read};
use crate::request::error::{RequestError, cut};
use crate::request::keys::form::{boolean, within};
use crate::request::{
    Asked, DeviceOptions, DeviceRef, IpoibMode, Origin, PhysicalRef, Pkey, Uplink, VfLinkState,
    VfOptions, VlanId,
};

/// What a child of an InfiniBand interface is told.
#[derive(Debug, Default)]
pub struct IpoibFields<'e> {
    /// `ipoib.pkey`.
    pub pkey: Option<Read<'e, Pkey>>,
    /// `ipoib.mode`.
    pub mode: Option<Read<'e, IpoibMode>>,
}

impl<'e> Fields<'e> {
    /// Reads a field of this group; false when it is none.
    pub(super) fn read_nic(
        &mut self,
        entry: &'e Entry<'e>,
        name: &str,
    ) -> Result<bool, RequestError> {
        let value = entry.value;
        match name {
            "device" => self.plug(entry, entry.ask(value.parse())?.value, Plug::Device),
            "ipoib" => self.plug(entry, entry.ask(value.parse())?.value, Plug::Ipoib),
            "device.force" => self.device.force = Some(yes_or_no(entry)?),
            "ipoib.pkey" => {
                let value = entry.ask(value.parse())?.value;
                self.ipoib.pkey = Some(Read { value, entry });
            }
            "ipoib.mode" => {
                let value = IpoibMode::named(value).ok_or_else(|| entry.mismatch())?;
                self.ipoib.mode = Some(Read { value, entry });
            }
            _ => return self.device.vf.read(entry, name),
        }
        Ok(true)
    }
}

impl VfOptions {
    fn read(&mut self, entry: &Entry<'_>, name: &str) -> Result<bool, RequestError> {
        let value = entry.value;
        match name {
            "vf.vlan" => self.vlan = Some(vlan_or_none(entry)?),
            "vf.qos" => {
                let qos = within(value, 0, 7).and_then(|qos| u8::try_from(qos).ok());
                self.qos = Some(entry.asked(qos.ok_or_else(|| entry.mismatch())?));
            }
            "vf.trust" => self.trust = Some(yes_or_no(entry)?),
            "vf.spoofchk" => self.spoofchk = Some(yes_or_no(entry)?),
            "vf.link-state" => {
                let state = VfLinkState::named(value).ok_or_else(|| entry.mismatch())?;
                self.link_state = Some(entry.asked(state));
            }
            "vf.min-tx-rate" => self.min_tx_rate = Some(entry.ask(value.parse())?),
            "vf.max-tx-rate" => self.max_tx_rate = Some(entry.ask(value.parse())?),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn yes_or_no(entry: &Entry<'_>) -> Result<Asked<bool>, RequestError> {
    let value = boolean(entry.value).ok_or_else(|| entry.mismatch())?;
    Ok(entry.asked(value))
}

fn vlan_or_none(entry: &Entry<'_>) -> Result<Asked<Option<VlanId>>, RequestError> {
    let number = within(entry.value, 0, 4094).ok_or_else(|| entry.mismatch())?;
    let number = u16::try_from(number).unwrap_or(0);
    Ok(entry.asked(VlanId::try_from(number).ok()))
}

/// What is handed over, or the child that is made, if the fields ask for one
/// of these.
pub fn uplink(fields: &Fields<'_>, plug: &Read<'_, Plug>) -> Result<Option<Uplink>, RequestError> {
    let kind = fields.kind.as_ref();
    let uplink = match (&plug.value, kind.map(|kind| kind.value)) {
        (Plug::Device(PhysicalRef::Device(device)) | Plug::Link(device), Some("wifi")) => {
            Uplink::Wifi {
                device: device.clone(),
            }
        }
        (Plug::Device(PhysicalRef::FreeVf(_)), Some("wifi")) => {
            let other = kind.map_or(plug.entry, |kind| kind.entry);
            return Err(plug
                .entry
                .contradicts(other, "a radio has no virtual functions"));
        }
        (Plug::Device(device), _) => Uplink::Physical {
            device: device.clone(),
        },
        (Plug::Link(device), Some("phys")) => Uplink::Physical {
            device: PhysicalRef::Device(device.clone()),
        },
        (Plug::Ipoib(parent), _) | (Plug::Link(parent), Some("ipoib")) => ipoib(fields, parent)?,
        (Plug::Link(_) | Plug::Bridge(_) | Plug::Ovs(_) | Plug::Parent(_) | Plug::Dummy, _) => {
            return Ok(None);
        }
    };
    Ok(Some(uplink))
}

/// The partition stands in a key of its own, or behind the @ of `mac`, where
/// pipework has it.
fn ipoib(fields: &Fields<'_>, parent: &DeviceRef) -> Result<Uplink, RequestError> {
    let behind_at = match &fields.mac_tag {
        Some(Read { value, entry }) => Some((entry.ask(value.parse::<Pkey>())?.value, *entry)),
        None => None,
    };
    let pkey = match (&fields.ipoib.pkey, behind_at) {
        (Some(one), Some((other, entry))) if one.value != other => {
            return Err(one
                .entry
                .contradicts(entry, "an interface is in one partition"));
        }
        (Some(pkey), _) => Some(pkey.value),
        (None, behind_at) => behind_at.map(|(pkey, _)| pkey),
    };
    Ok(Uplink::Ipoib {
        parent: parent.clone(),
        pkey,
        mode: fields.ipoib.mode.as_ref().map(|mode| mode.value),
    })
}

/// What is said of a device holds for the kind of uplink that was asked for.
pub fn check(fields: &Fields<'_>, plug: &Entry<'_>, uplink: &Uplink) -> Result<(), RequestError> {
    let (is_phys, is_wifi, is_ipoib) = match uplink {
        Uplink::Physical { .. } => (true, false, false),
        Uplink::Wifi { .. } => (false, true, false),
        Uplink::Ipoib { .. } => (false, false, true),
        Uplink::Bridge { .. }
        | Uplink::Macvlan { .. }
        | Uplink::Ovs { .. }
        | Uplink::Ipvlan { .. }
        | Uplink::Dummy
        | Uplink::Link { .. } => (false, false, false),
    };
    let DeviceOptions { force, vf } = &fields.device;
    if let Some(force) = force.as_ref().filter(|_| !is_phys && !is_wifi) {
        let why = "only a device that is handed over itself is forced";
        return Err(conflict(&force.origin, plug, why));
    }
    if let Some((_, origin)) = vf.first().filter(|_| !is_phys) {
        let why = "only a virtual function that is handed over itself has settings";
        return Err(conflict(origin, plug, why));
    }
    check_vf(vf)?;
    let IpoibFields { pkey, mode } = &fields.ipoib;
    let of_ipoib = pkey.as_ref().map(|read| read.entry);
    let of_ipoib = of_ipoib.or(mode.as_ref().map(|read| read.entry));
    if let Some(entry) = of_ipoib.filter(|_| !is_ipoib) {
        return Err(entry.contradicts(plug, "only an InfiniBand interface has that"));
    }
    match (&fields.mac, &fields.vlan) {
        (Some(mac), _) if is_ipoib => Err(ipoib_mac(&mac.origin)),
        (_, Some(vlan)) if is_ipoib => Err(vlan.entry.contradicts(
            plug,
            "the partition of an InfiniBand interface is ipoib.pkey",
        )),
        (Some(_) | None, Some(_) | None) => Ok(()),
    }
}

fn check_vf(vf: &VfOptions) -> Result<(), RequestError> {
    let VfOptions {
        vlan,
        qos,
        min_tx_rate,
        max_tx_rate,
        ..
    } = vf;
    let vlan_origin = vlan.as_ref().map(|vlan| (&vlan.origin, vlan.value));
    match (qos, vlan_origin) {
        (Some(qos), None | Some((_, None))) if qos.value > 0 => {
            return Err(RequestError::NeedsAnother {
                first: shown(&qos.origin),
                other: "vf.vlan",
            });
        }
        (Some(_) | None, Some(_) | None) => {}
    }
    if let (Some(min), Some(max)) = (min_tx_rate, max_tx_rate)
        && min.value > max.value
    {
        return Err(RequestError::Conflict {
            first: shown(&min.origin),
            second: shown(&max.origin),
            why: "what is guaranteed is above what may be reached",
        });
    }
    Ok(())
}

fn conflict(origin: &Origin, other: &Entry<'_>, why: &'static str) -> RequestError {
    RequestError::Conflict {
        first: shown(origin),
        second: shown(&other.origin()),
        why,
    }
}

fn ipoib_mac(origin: &Origin) -> RequestError {
    let (key, value) = match origin {
        Origin::Annotation { key, value } | Origin::Network { key, value } => {
            (key.clone(), cut(value))
        }
        Origin::Default => (String::new(), String::new()),
    };
    RequestError::IpoibMac { key, value }
}

fn shown(origin: &Origin) -> String {
    match origin {
        Origin::Annotation { key, value } | Origin::Network { key, value } => {
            format!("{key}={}", cut(value))
        }
        Origin::Default => origin.to_string(),
    }
}

/// What a field of this group needs beside a link.
#[cfg(test)]
pub(super) fn companions(field: &str) -> Vec<(&'static str, &'static str)> {
    match field.split_once('.') {
        Some(("vf", "qos")) => vec![("pipework.type", "phys"), ("pipework.vf.vlan", "100")],
        Some(("vf" | "device", _)) => vec![("pipework.type", "phys")],
        Some(("ipoib", _)) => vec![("pipework.type", "ipoib")],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
