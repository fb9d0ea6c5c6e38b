//! A VLAN of a NIC: the device that children are made on in place of the NIC.
//!
//! One that exists is used, whatever its name, and left. A missing one is a
//! shared object: made for its first user, removed with the last. Its index
//! says whose it is, also to who asks for it by its name. Pure: reads the view, never the host.

use super::error::VlanPlanError;
use super::shared::{SharedObject, User, index_of};
use super::{PlanError, Planner, Step};
use crate::host::view::{DeviceKind, DeviceView, VlanDeviceView, VlanView};
use crate::request::{Asked, Attachment, IfName, MacAddr, VlanId};

/// What children are made on: a NIC, or the device for one of its VLANs.
pub(super) struct Parent {
    /// Its index.
    pub ifindex: u32,
    /// Its name.
    pub name: IfName,
    /// Its hardware address.
    pub mac: Option<MacAddr>,
    /// Its MTU in bytes.
    pub mtu: u32,
    /// Those that are down, the lowest first.
    down: Vec<(u32, IfName)>,
    /// It is one that attachments share.
    shared: Option<SharedObject>,
}

impl Parent {
    fn of(device: &DeviceView) -> Self {
        let mut down = Vec::new();
        if !device.up {
            down.push((device.ifindex, device.name.clone()));
        }
        Self {
            ifindex: device.ifindex,
            name: device.name.clone(),
            mac: device.mac,
            mtu: device.mtu,
            down,
            shared: own_vlan(device),
        }
    }

    /// The device that exists for a VLAN of `nic`.
    fn present(nic: &DeviceView, device: &DeviceView) -> Self {
        let mut parent = Self::of(device);
        if !nic.up {
            // A device cannot be up while what it is on is down.
            parent.down.insert(0, (nic.ifindex, nic.name.clone()));
        }
        parent
    }

    /// The device that will be made for a VLAN of `nic`, which has the NIC's
    /// MAC and MTU (`vlan_newlink`, `vlan_dev_init`).
    fn missing(nic: &DeviceView, vlan: VlanId, name: IfName) -> Self {
        let ifindex = index_of("vlan", nic.ifindex, vlan.get().into());
        Self {
            ifindex,
            name: name.clone(),
            shared: Some(SharedObject::VlanDevice {
                ifindex,
                name,
                parent: nic.ifindex,
                parent_name: nic.name.clone(),
                vlan,
            }),
            ..Self::of(nic)
        }
    }
}

/// The shared object that `device` is, if it is a VLAN device of ours.
fn own_vlan(device: &DeviceView) -> Option<SharedObject> {
    let (DeviceKind::Vlan(tag), Some(nic)) = (&device.kind, device.lower.first()) else {
        return None;
    };
    let vlan = VlanId::try_from(*tag).ok()?;
    let is_ours = device.ifindex == index_of("vlan", nic.ifindex, vlan.get().into());
    is_ours.then(|| SharedObject::VlanDevice {
        ifindex: device.ifindex,
        name: device.name.clone(),
        parent: nic.ifindex,
        parent_name: nic.name.clone(),
        vlan,
    })
}

/// What children of `nic` are made on for this attachment.
pub(super) fn parent(
    attachment: &Attachment,
    nic: &DeviceView,
    view: Option<&VlanView>,
) -> Result<Parent, PlanError> {
    if let Some(Asked { origin, .. }) = &attachment.trunk {
        return Err(PlanError::from(VlanPlanError::TrunkOnNic {
            device: nic.name.clone(),
            origin: origin.clone(),
        }));
    }
    let Some(Asked {
        value: vlan,
        origin,
    }) = &attachment.vlan
    else {
        return Ok(Parent::of(nic));
    };
    let missing = VlanDeviceView {
        name: vlan.device_on(&nic.name),
        present: None,
        in_the_way: None,
    };
    let device = match view {
        Some(VlanView::Device(device)) => device,
        Some(VlanView::Bridge(_)) | None => &missing,
    };
    match device {
        VlanDeviceView {
            present: Some(device),
            ..
        } => Ok(Parent::present(nic, device)),
        VlanDeviceView {
            name,
            in_the_way: Some(other),
            ..
        } => Err(PlanError::from(VlanPlanError::NotThatVlan {
            name: name.clone(),
            kind: other.kind.clone(),
            lower: other.lower.first().map(|lower| lower.name.clone()),
            vlan: *vlan,
            nic: nic.name.clone(),
            origin: origin.clone(),
        })),
        VlanDeviceView { name, .. } => Ok(Parent::missing(nic, *vlan, name.clone())),
    }
}

impl Planner<'_> {
    /// What has to be done to `parent` before the interface that was begun last
    /// can be made on it.
    pub(super) fn prepare(&mut self, attachment: &Attachment, parent: &Parent) {
        let origin = &attachment.uplink.origin;
        for (ifindex, name) in &parent.down {
            let (ifindex, name) = (*ifindex, name.clone());
            // Of no single interface: others of this request may use it too.
            self.push(None, Step::RaiseParent { ifindex, name }, origin);
        }
        let Some(object) = parent.shared.clone() else {
            return;
        };
        let place = self.current();
        if let Some(user) = self.user() {
            let origin = attachment.vlan.as_ref().map_or(origin, |vlan| &vlan.origin);
            self.push(place, Step::Share { object, user }, origin);
        }
    }

    /// The interface that was begun last, as a user of what is shared.
    pub(super) fn user(&self) -> Option<User> {
        let interface = self.plan.interfaces.last()?;
        Some(User {
            ifindex: interface.ifindex,
            mac: interface.mac,
        })
    }
}
