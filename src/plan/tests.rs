//! What pipework's first argument turns out to be: what is planned for it, and
//! what is refused by the name of what it is.

use crate::host::view::{
    AttachmentView, DeviceKind, DeviceView, HostView, NamespaceView, NicView, OvsView, RadioView,
    UplinkView,
};
use crate::plan::{
    Identity, LOWEST_INDEX, LeaseClient, LeaseStep, Plan, PlanError, PlannedStep, RoutingStep,
    Step, plan,
};
use crate::request::{Datapath, Request, annotations};

pub fn present(name: &str, kind: DeviceKind) -> AttachmentView {
    AttachmentView::from(UplinkView::Present(DeviceView::sample(name, kind)))
}

fn other(kind: &str) -> DeviceKind {
    DeviceKind::Other(kind.to_owned())
}

fn with_ovs(view: AttachmentView, ovs: OvsView) -> AttachmentView {
    AttachmentView { ovs, ..view }
}

fn radio(name: &str) -> AttachmentView {
    let nic = NicView {
        radio: Some(RadioView {
            index: 0,
            name: "phy0".to_owned(),
            others: Vec::new(),
        }),
        ..NicView::sample(name, 7)
    };
    AttachmentView {
        nic: Some(Box::new(nic)),
        ..present(name, DeviceKind::Nic)
    }
}

fn planned(asked: &[&str], view: AttachmentView) -> Result<Plan, PlanError> {
    planned_in(NamespaceView::default(), asked, view)
}

fn planned_in(
    namespace: NamespaceView,
    asked: &[&str],
    view: AttachmentView,
) -> Result<Plan, PlanError> {
    let attachments = asked_for(asked).attachments.len();
    plan_of(asked, namespace, vec![view; attachments])
}

/// What annotations ask for.
pub fn asked_for(asked: &[&str]) -> Request {
    let pairs = asked.iter().map(|pair| pair.split_once('=').unwrap());
    annotations::parse(pairs).unwrap().unwrap()
}

/// The plan of `web`, whose attachments see `uplinks`.
pub fn plan_of(
    asked: &[&str],
    namespace: NamespaceView,
    uplinks: Vec<AttachmentView>,
) -> Result<Plan, PlanError> {
    let view = HostView {
        uplinks,
        namespace,
        own_addresses: Vec::new(),
    };
    let mut request = asked_for(asked);
    // As the look at the host does.
    for place in request.named_by_uplink() {
        if crate::plan::ipoib::is_meant_by_link(&view.uplinks[place].uplink) {
            request.name_as_infiniband(place);
        }
    }
    let mut next = LOWEST_INDEX;
    plan(&request, &view, &Identity::sample(), &mut || {
        next += 1;
        next
    })
}

const ABSENT: UplinkView = UplinkView::Absent;
const IN_KERNEL: OvsView = OvsView::Bridge { in_kernel: true };
const NO_BRIDGE: OvsView = OvsView::NoBridge {
    datapath: Datapath::System,
};

fn silent() -> OvsView {
    OvsView::Silent {
        reason: "no answer".to_owned(),
    }
}

/// The first argument, what is there of it, and what is made of it.
fn meanings() -> Vec<(&'static str, AttachmentView, &'static str)> {
    let absent = |ovs| with_ovs(ABSENT.into(), ovs);
    let macvlan = "a macvlan in mode bridge on";
    vec![
        ("br0", present("br0", DeviceKind::Bridge), "into br0"),
        ("lan", present("lan", DeviceKind::Bridge), "into lan"),
        ("br0", ABSENT.into(), "making the bridge br0"),
        ("br0", absent(NO_BRIDGE), "making the bridge br0"),
        ("br0", absent(IN_KERNEL), "Open vSwitch bridge br0"),
        (
            "ovs0",
            with_ovs(present("ovs0", other("openvswitch")), IN_KERNEL),
            "Open vSwitch bridge ovs0",
        ),
        (
            "lan",
            with_ovs(present("lan", other("tun")), IN_KERNEL),
            "Open vSwitch bridge lan",
        ),
        (
            "ovs0",
            absent(NO_BRIDGE),
            "making the Open vSwitch bridge ovs0",
        ),
        // An internal port of a bridge is as good a NIC as any, and so is a tap
        // device.
        (
            "vlan5",
            with_ovs(present("vlan5", other("openvswitch")), NO_BRIDGE),
            macvlan,
        ),
        (
            "tap0",
            with_ovs(present("tap0", other("tun")), OvsView::NotInstalled),
            macvlan,
        ),
        ("eth1", present("eth1", DeviceKind::Nic), macvlan),
        ("eth1.5", present("eth1.5", DeviceKind::Vlan(5)), macvlan),
        ("bond0", present("bond0", other("bond")), macvlan),
        // As pipework has it: a device that is there is what it is.
        ("dummy7", present("dummy7", other("dummy")), macvlan),
        ("br7", present("br7", DeviceKind::Nic), macvlan),
        ("dummy7", ABSENT.into(), "a dummy"),
        ("ib0", present("ib0", other("ipoib")), "a child of ib0"),
        ("ib0", present("ib0", other("infiniband")), "a child of ib0"),
        ("wlan0", radio("wlan0"), "moving the radio phy0"),
    ]
}

#[test]
fn the_first_argument_is_what_the_host_says_that_it_is() {
    for (name, view, expected) in meanings() {
        let what = format!("{name} of {:?}, {:?}", view.uplink, view.ovs);
        let plan = planned(&[&format!("pipework.link={name}")], view);
        let plan = plan.unwrap_or_else(|error| panic!("{what}: {error}"));
        let steps: Vec<String> = plan.steps.iter().map(|s| s.step.to_string()).collect();
        assert!(
            steps.iter().any(|step| step.contains(expected)),
            "{what}: {steps:#?}"
        );
    }
}

#[test]
fn what_may_be_a_bridge_of_open_vswitch_is_refused_while_that_is_silent() {
    for (name, view, expected) in [
        ("br0", ABSENT.into(), "br0 does not exist, and Open vSwitch"),
        ("ovs0", ABSENT.into(), "ovs0 is asked for as a bridge"),
        (
            "ovs0",
            present("ovs0", other("openvswitch")),
            "ovs0 may be a bridge of Open vSwitch, which does not answer: no answer",
        ),
        (
            "lan",
            present("lan", other("tun")),
            "lan may be a bridge of Open vSwitch, which does not answer: no answer",
        ),
    ] {
        let asked = format!("pipework.link={name}");
        let error = planned(&[&asked], with_ovs(view, silent())).unwrap_err();
        assert!(error.to_string().starts_with(expected), "{error}");
    }
}

#[test]
fn what_is_not_there_and_is_not_made_is_refused_as_missing() {
    for name in ["foo0", "eth9", "route1", "mac:02:00:00:00:00:09"] {
        let asked = format!("pipework.link={name}");
        let error = planned(&[&asked], ABSENT.into()).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("there is no device {name} on this host")
        );
    }
}

#[test]
fn a_field_that_it_cannot_have_is_refused_by_the_name_of_what_it_is() {
    let guard = "pipework.spoofcheck=true";
    for (name, view, field, expected) in [
        (
            "wlan0",
            radio("wlan0"),
            guard,
            "spoofcheck is not possible on a radio that is handed over: ",
        ),
        (
            "wlan0",
            radio("wlan0"),
            "pipework.vlan=5",
            "vlan is not possible on a radio that is handed over: ",
        ),
        (
            "wlan0",
            radio("wlan0"),
            "pipework.host-access=true",
            "host-access is not possible on a radio that is handed over: ",
        ),
        (
            "ib0",
            present("ib0", other("ipoib")),
            guard,
            "spoofcheck is not possible on an InfiniBand interface: ",
        ),
        (
            "ib0",
            present("ib0", other("ipoib")),
            "pipework.mac=02:00:00:00:00:07",
            "mac is not possible on an InfiniBand interface: ",
        ),
        (
            "ib0",
            present("ib0", other("ipoib")),
            "pipework.dad=arp",
            "dad is not possible on an InfiniBand interface: ",
        ),
        (
            "dummy0",
            ABSENT.into(),
            guard,
            "spoofcheck is not possible on a dummy: ",
        ),
        (
            "eth1",
            present("eth1", DeviceKind::Nic),
            guard,
            "spoofcheck is not possible on a macvlan: ",
        ),
        (
            "eth1",
            present("eth1", DeviceKind::Nic),
            "pipework.hostif=web0",
            "hostif is not possible on a macvlan: ",
        ),
        (
            "br0",
            present("br0", DeviceKind::Bridge),
            "pipework.host-access=true",
            "host-access is not possible on a bridge: ",
        ),
        (
            "ovs0",
            with_ovs(present("ovs0", other("openvswitch")), IN_KERNEL),
            "pipework.hairpin=true",
            "hairpin is not possible on a port of Open vSwitch: ",
        ),
    ] {
        let link = format!("pipework.link={name}");
        let error = planned(&[&link, field], view).unwrap_err();
        assert!(error.to_string().starts_with(expected), "{error}");
    }
}

/// Its index may be 254, which is the number of the table `main`.
#[test]
fn a_device_that_keeps_its_index_has_no_table_of_that_number() {
    let view = AttachmentView {
        nic: Some(Box::new(NicView::sample("eth2", 7))),
        ..present("eth2", DeviceKind::Nic)
    };
    let asked = [
        "pipework.device=eth2",
        "pipework.ip=10.0.0.5/24@10.0.0.1",
        "pipework.sbr=true",
    ];
    let plan = planned(&asked, view).unwrap();
    let mut tables = 0;
    for step in plan.steps.iter().map(|planned| &planned.step) {
        let table = match step {
            Step::AddRoute { route, .. } => {
                assert_eq!(route.ifindex, 7, "{step}");
                route.table
            }
            Step::Routing(RoutingStep::AddRule(rule)) => Some(rule.table),
            _ => None,
        };
        if let Some(table) = table {
            assert_eq!(table, LOWEST_INDEX + 7, "{step}");
            tables += 1;
        }
    }
    assert_eq!(tables, 3, "{:#?}", plan.steps);
}

#[test]
fn before_an_engines_own_network_a_gateway_asks_for_a_word_about_the_default_route() {
    let planned = |more: &[&str]| {
        let namespace = NamespaceView {
            engine_follows: true,
            ..NamespaceView::default()
        };
        let asked = [&["pipework.bridge=br0"], more].concat();
        planned_in(namespace, &asked, present("br0", DeviceKind::Bridge)).map(|_| ())
    };
    let gateway = "pipework.ip=10.0.0.5/24@10.0.0.1";
    for asked in [
        gateway,
        "pipework.ip=fd00::5/64@fd00::1",
        "pipework.ip=dhcp",
    ] {
        let error = planned(&[asked]).unwrap_err();
        assert!(
            matches!(error, PlanError::DefaultBeforeEngine { .. }),
            "{asked}: {error}"
        );
        for said in ["pipework.default=true", "pipework.default=false"] {
            planned(&[asked, said]).unwrap();
        }
    }
    planned(&["pipework.ip=10.0.0.5/24"]).unwrap();
    let error = planned(&["pipework.ifname=eth0"]).unwrap_err();
    assert_eq!(error.to_string(), "podman makes eth0 itself, after this");
}

#[test]
fn an_optional_interface_takes_the_default_route_from_no_other() {
    let with = |second: &str| {
        let asked = [
            "pipework.0.bridge=br0",
            "pipework.0.ip=10.0.0.5/24@10.0.0.1",
            "pipework.1.bridge=br0",
            "pipework.1.optional=true",
            second,
        ];
        planned(&asked, present("br0", DeviceKind::Bridge)).unwrap()
    };
    let plan = with("pipework.1.ip=10.0.1.5/24@10.0.1.1");
    let ways = plan.steps.iter().map(|planned| planned.step.to_string());
    let ways: Vec<String> = ways.filter(|step| step.contains("default")).collect();
    assert!(
        ways.iter().any(|way| way.contains("10.0.0.1")) && ways.len() == 1,
        "{ways:?}"
    );
    assert_eq!(
        plan.notices,
        ["the gateway of eth2 is not the default route: that of eth1 is, which is not optional"]
    );
    // A lease that may not come takes it no more than a router that may not be there.
    let plan = with("pipework.1.ip=dhcp");
    let asks = plan.steps.iter().filter_map(|planned| match &planned.step {
        Step::Lease(LeaseStep::Ask(ask)) => Some(&ask.client),
        _ => None,
    });
    let clients: Vec<_> = asks.collect();
    let [LeaseClient::V4 { wishes, .. }] = clients[..] else {
        panic!("{clients:?}");
    };
    assert!(!wishes.default_route);
}

#[test]
fn of_a_gateway_and_a_later_lease_the_lease_is_the_way_out() {
    let asked = [
        "pipework.0.parent=eth0",
        "pipework.0.ip=10.0.0.5/24@10.0.0.1",
        "pipework.1.parent=eth0",
        "pipework.1.ip=dhcp",
    ];
    for engine_connects in [false, true] {
        let namespace = NamespaceView {
            engine_connects,
            ..NamespaceView::default()
        };
        let plan = planned_in(namespace, &asked, present("eth0", DeviceKind::Nic)).unwrap();
        let way_out = |planned: &&PlannedStep| {
            let text = planned.step.to_string();
            text.contains("default") || text.contains("rule")
        };
        let ways: Vec<&PlannedStep> = plan.steps.iter().filter(way_out).collect();
        assert!(ways.iter().all(|way| way.interface == Some(1)), "{ways:?}");
        let notice = "the gateway of eth1 is not the default route: that of eth2 is";
        assert!(
            plan.notices.iter().any(|said| said.starts_with(notice)),
            "{:?}",
            plan.notices
        );
    }
}
