//! A request and a view of the host, as small as they get.

use std::path::Path;

use crate::host::view::{
    AttachmentView, DeviceKind, DeviceView, HostView, LowerDevice, NamespaceView, UplinkView,
};
use crate::policy::{Caller, Policy, PolicyError, judge};
use crate::request::{
    Addressing, Asked, Attachment, DeviceRef, IfName, MacvlanMode, Origin, Request, Uplink,
};

pub fn asked<T>(value: T) -> Asked<T> {
    let (key, value_text) = ("pipework.test".to_owned(), "x".to_owned());
    let origin = Origin::Annotation {
        key,
        value: value_text,
    };
    Asked { value, origin }
}

pub fn ifname(name: &str) -> IfName {
    name.parse().unwrap()
}

pub fn bridge(name: &str) -> Uplink {
    Uplink::Bridge {
        device: ifname(name),
    }
}

pub fn macvlan(parent: &str) -> Uplink {
    Uplink::Macvlan {
        parent: DeviceRef::Name(ifname(parent)),
        mode: MacvlanMode::Bridge,
    }
}

pub fn attachment(uplink: Uplink) -> Attachment {
    Attachment {
        ifname: Asked {
            value: ifname("eth1"),
            origin: Origin::Default,
        },
        uplink: asked(uplink),
        network: None,
        vlan: None,
        trunk: None,
        mac: None,
        mtu: None,
        txqlen: None,
        hostif: None,
        addressing: Addressing::default(),
        routes: Vec::new(),
        sysctls: Vec::new(),
        port: Default::default(),
        traffic: Default::default(),
        routing: Default::default(),
        device: Default::default(),
        ovs: Default::default(),
        dhcp: Default::default(),
        dns: Default::default(),
        wait: None,
        host_access: None,
        announce: None,
        optional: None,
    }
}

pub fn request(attachment: Attachment) -> Request {
    Request {
        attachments: vec![attachment],
        name: None,
    }
}

pub fn device(name: &str, kind: DeviceKind) -> DeviceView {
    DeviceView {
        mac: None,
        ..DeviceView::sample(name, kind)
    }
}

/// eth0.100 on eth0.
pub fn vlan_device() -> DeviceView {
    let mut device = device("eth0.100", DeviceKind::Vlan(100));
    device.lower = vec![LowerDevice {
        ifindex: 2,
        name: ifname("eth0"),
        kind: DeviceKind::Nic,
    }];
    device
}

pub fn view(uplinks: Vec<UplinkView>) -> HostView {
    HostView {
        uplinks: uplinks.into_iter().map(AttachmentView::from).collect(),
        namespace: NamespaceView::default(),
        own_addresses: Vec::new(),
    }
}

pub fn host(device: DeviceView) -> HostView {
    view(vec![UplinkView::Present(device)])
}

pub fn br0() -> HostView {
    host(device("br0", DeviceKind::Bridge))
}

pub fn parse(text: &str) -> Result<Policy, PolicyError> {
    Policy::parse(Path::new("/p"), text.as_bytes())
}

/// The judgement of a policy's text on root's container.
pub fn root_asks(text: &str, request: &Request, view: &HostView) -> Result<(), PolicyError> {
    let policy = parse(text).unwrap();
    judge(Some(&policy), &Caller::Runtime, request, view).map(drop)
}
