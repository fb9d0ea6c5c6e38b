//! Plans for VLANs of a bridge, over views of a host made by hand.

use crate::host::view::{
    AttachmentView, BridgePortView, BridgePortsView, BridgeVlanView, DeviceKind, DeviceView, Grant,
    NamespaceView, PortRole, PortsView, UplinkPorts, UplinkView, VlanView,
};
use crate::plan::tests::{asked_for, plan_of};
use crate::plan::{Plan, PlanError, Step};
use crate::request::{VlanId, VlanSet};

fn vlan(number: u16) -> VlanId {
    number.try_into().unwrap()
}

fn port(name: &str, role: PortRole) -> BridgePortView {
    BridgePortView {
        ifindex: 4,
        name: name.parse().unwrap(),
        role,
        pvid: Some(vlan(1)),
        tagged: VlanSet::default(),
    }
}

fn seen(ports: Vec<BridgePortView>) -> BridgePortsView {
    BridgePortsView {
        ports,
        own_pvid: Some(vlan(1)),
        vlan_device: None,
    }
}

/// br0, with an uplink port eth0.
fn br0() -> BridgeVlanView {
    BridgeVlanView {
        filtering: Some(true),
        default_pvid: Some(vlan(1)),
        ports: PortsView::Seen(seen(vec![port("eth0", PortRole::Uplink)])),
    }
}

fn planned(asked: &[&str], bridge: BridgeVlanView, grant: Grant) -> Result<Plan, PlanError> {
    let device = DeviceView {
        ifindex: 3,
        mac: None,
        ..DeviceView::sample("br0", DeviceKind::Bridge)
    };
    let view = AttachmentView {
        vlan: Some(VlanView::Bridge(bridge)),
        grant,
        ..UplinkView::Present(device).into()
    };
    let namespace = NamespaceView {
        loopback_up: true,
        ..NamespaceView::default()
    };
    let attachments = asked_for(asked).attachments.len();
    plan_of(asked, namespace, vec![view; attachments])
}

const ASKED: [&str; 2] = ["pipework.bridge=br0", "pipework.vlan=100"];

fn lines(plan: &Plan) -> Vec<String> {
    let lines = plan.steps.iter().map(|planned| planned.step.to_string());
    lines.collect()
}

#[test]
fn the_vlans_are_set_after_the_port_has_joined_and_before_the_interface_is_up() {
    let plan = planned(&ASKED, br0(), Grant::default()).unwrap();
    let lines = lines(&plan);
    let place = |what: &str| lines.iter().position(|line| line.contains(what)).unwrap();
    let (join, up) = (place("plugging"), place("bringing up eth1"));
    let set = place("into VLAN 100 untagged");
    let uplink = place("using VLAN 100 at the uplink ports of br0");
    assert!(join < set && set < up && uplink < up, "{lines:#?}");
    assert!(plan.notices.is_empty());
}

#[test]
fn a_bridge_whose_new_ports_are_in_the_vlan_already_takes_none_away() {
    let not = |asked: &str, given: Option<u16>| {
        let bridge = BridgeVlanView {
            default_pvid: given.map(vlan),
            ..br0()
        };
        let plan = planned(&[ASKED[0], asked], bridge, Grant::default()).unwrap();
        let set = plan
            .steps
            .into_iter()
            .find_map(|planned| match planned.step {
                Step::Port(crate::plan::PortStep::SetVlans { vlans, .. }) => Some(vlans.not),
                _ => None,
            });
        set.unwrap()
    };
    assert_eq!(not("pipework.vlan=100", Some(1)), Some(vlan(1)));
    assert_eq!(not("pipework.vlan=1", Some(1)), None);
    assert_eq!(not("pipework.trunk=1,10", Some(1)), None);
    assert_eq!(not("pipework.vlan=100", None), None);
}

#[test]
fn a_vlan_without_an_uplink_port_is_told_of() {
    let notices = |ports: PortsView, uplink_ports: UplinkPorts| {
        let bridge = BridgeVlanView { ports, ..br0() };
        let grant = Grant {
            uplink_ports,
            ..Grant::default()
        };
        planned(&ASKED, bridge, grant).unwrap().notices
    };
    let tap = || PortsView::Seen(seen(vec![port("tap0", PortRole::Other)]));
    let ends = "VLAN 100 ends inside this host: br0 has no uplink port";
    let named = |name: &str| UplinkPorts::Named(vec![name.parse().unwrap()]);
    assert_eq!(notices(tap(), UplinkPorts::Physical), [ends]);
    assert!(notices(tap(), named("tap*")).is_empty());
    // Who joins later is told as well.
    let nobody = || PortsView::Joined(Vec::new());
    assert_eq!(notices(nobody(), UplinkPorts::Physical), [ends]);
    // Who names no port wants it so.
    assert!(notices(tap(), UplinkPorts::Named(Vec::new())).is_empty());
}

#[test]
fn a_port_that_is_in_no_vlan_is_told_of() {
    let notices = |default_pvid: Option<u16>| {
        let bridge = BridgeVlanView {
            default_pvid: default_pvid.map(vlan),
            ..br0()
        };
        planned(&ASKED[..1], bridge, Grant::default())
            .unwrap()
            .notices
    };
    assert!(notices(Some(1)).is_empty());
    assert!(notices(None)[0].contains("br0 puts new ports into no VLAN"));
}

#[test]
fn an_address_that_only_tagged_frames_could_reach_is_told_of() {
    let asked = [ASKED[0], "pipework.trunk=10", "pipework.ip=10.0.0.5/24"];
    let plan = planned(&asked, br0(), Grant::default()).unwrap();
    assert!(plan.notices[0].starts_with("eth1 takes tagged frames only"));
    let asked = [ASKED[0], "pipework.trunk=10"];
    let plan = planned(&asked, br0(), Grant::default()).unwrap();
    assert!(plan.notices.is_empty());
}

#[test]
fn filtering_is_switched_on_once_and_only_where_policy_says_so() {
    let off = || BridgeVlanView {
        filtering: Some(false),
        ..br0()
    };
    let error = planned(&ASKED, off(), Grant::default()).unwrap_err();
    let command = "ip link set br0 type bridge vlan_filtering 1, or ";
    assert!(error.hint().starts_with(command), "{}", error.hint());
    let asked = [
        "pipework.0.bridge=br0",
        "pipework.0.vlan=100",
        "pipework.1.bridge=br0",
        "pipework.1.vlan=200",
    ];
    let grant = Grant {
        vlan_filtering: true,
        ..Grant::default()
    };
    let plan = planned(&asked, off(), grant.clone()).unwrap();
    let switched = lines(&plan);
    let switched = switched.iter().filter(|l| l.contains("VLAN filtering"));
    assert_eq!(switched.count(), 1);
    let kernel_cannot = BridgeVlanView {
        filtering: None,
        ..br0()
    };
    let error = planned(&ASKED, kernel_cannot, grant).unwrap_err();
    assert!(error.to_string().contains("this kernel was built without"));
}

#[test]
fn filtering_stays_off_over_frames_that_pass_now() {
    let refused = |change: &dyn Fn(&mut BridgePortsView)| {
        let mut ports = seen(vec![
            port("eth0", PortRole::Uplink),
            port("tap0", PortRole::Other),
        ]);
        change(&mut ports);
        let bridge = BridgeVlanView {
            filtering: Some(false),
            ports: PortsView::Seen(ports),
            ..br0()
        };
        let grant = Grant {
            vlan_filtering: true,
            ..Grant::default()
        };
        planned(&ASKED, bridge, grant).map_err(|error| error.to_string())
    };
    assert!(refused(&|_| ()).is_ok());
    assert!(refused(&|ports| ports.ports[0].tagged.insert(vlan(7))).is_ok());
    for (change, what) in [
        (
            (|ports: &mut BridgePortsView| ports.ports[1].tagged.insert(vlan(7)))
                as fn(&mut BridgePortsView),
            "tap0 takes tagged frames",
        ),
        (
            |ports| ports.vlan_device = Some("br0.7".parse().unwrap()),
            "br0.7 takes tagged frames",
        ),
        (
            |ports| ports.ports[0].pvid = None,
            "the untagged frames of eth0",
        ),
        (|ports| ports.own_pvid = None, "the untagged frames of br0"),
    ] {
        let error = refused(&change).unwrap_err();
        assert!(error.contains(what), "{error}");
    }
}
