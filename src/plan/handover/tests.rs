//! Which devices are handed over, and in which steps.

use crate::host::view::{
    AttachmentView, BusyFunctions, DeviceKind, DeviceView, NamespaceView, NicView, RadioView,
    UplinkView, VfView,
};
use crate::plan::tests::plan_of;
use crate::plan::{NicPlanError, Plan, PlanError};
use crate::sys::rtnl::NicHome;

fn seen(nic: Option<NicView>) -> AttachmentView {
    AttachmentView {
        uplink: UplinkView::Present(DeviceView::sample("eth2", DeviceKind::Nic)),
        nic: nic.map(Box::new),
        ..AttachmentView::from(UplinkView::Absent)
    }
}

fn eth2() -> NicView {
    NicView::sample("eth2", 7)
}

fn planned(asked: &[&str], views: Vec<AttachmentView>) -> Result<Plan, PlanError> {
    let namespace = NamespaceView {
        loopback_up: true,
        ..NamespaceView::default()
    };
    plan_of(asked, namespace, views)
}

fn steps(asked: &[&str], view: AttachmentView) -> Vec<String> {
    let plan = planned(asked, vec![view]).unwrap();
    let steps = plan.steps.iter().map(|planned| planned.step.to_string());
    // Settings and what follows are those of every interface.
    steps
        .take_while(|step| !step.starts_with("setting"))
        .collect()
}

fn refused(asked: &[&str], view: AttachmentView) -> NicPlanError {
    match planned(asked, vec![view]).unwrap_err() {
        PlanError::Nic(error) => error,
        other => panic!("{other}"),
    }
}

const ETH2: [&str; 1] = ["pipework.device=eth2"];

#[test]
fn a_nic_is_taken_off_the_host_and_moved_with_its_own_index_and_mac() {
    let said = steps(&ETH2, seen(Some(eth2())));
    assert_eq!(
        said,
        [
            "taking eth2 off the host",
            "moving eth2 into the container as eth1"
        ]
    );
    let plan = planned(&ETH2, vec![seen(Some(eth2()))]).unwrap();
    let [interface] = plan.interfaces.as_slice() else {
        panic!("{plan:?}")
    };
    assert_eq!(interface.ifindex, 7);
    assert_eq!(interface.mac.to_string(), "52:54:00:00:00:02");
    assert!(!interface.mac_is_stable);
}

#[test]
fn a_nic_whose_index_is_taken_inside_gets_another_one() {
    let nic = NicView {
        index_is_free: false,
        ..eth2()
    };
    let plan = planned(&ETH2, vec![seen(Some(nic))]).unwrap();
    assert!(plan.interfaces[0].ifindex > crate::plan::LOWEST_INDEX);
}

#[test]
fn what_is_asked_of_a_nic_is_set_once_it_is_inside() {
    let asked = [
        "pipework.device=eth2",
        "pipework.mac=02:00:00:00:00:42",
        "pipework.mtu=1300",
        "pipework.txqlen=77",
    ];
    let said = steps(&asked, seen(Some(eth2())));
    assert_eq!(
        said[2..],
        [
            "giving eth1 MAC 02:00:00:00:00:42",
            "giving eth1 MTU 1300",
            "giving eth1 transmit queue 77"
        ]
    );
}

#[test]
fn a_virtual_function_is_told_of_by_its_card_before_it_moves() {
    let asked = [
        "pipework.device=pf:ens1f0",
        "pipework.mac=02:00:00:00:00:42",
        "pipework.vf.vlan=100",
        "pipework.vf.qos=3",
        "pipework.vf.trust=yes",
        "pipework.vf.link-state=enable",
        "pipework.vf.min-tx-rate=100mbit",
    ];
    let nic = NicView {
        vf: Some(VfView {
            function_up: false,
            ..VfView::sample()
        }),
        ..eth2()
    };
    let said = steps(&asked, seen(Some(nic)));
    let told = "telling ens1f0 of its virtual function 1:";
    assert_eq!(
        said,
        [
            "bringing up ens1f0 on the host".to_owned(),
            "taking eth2 off the host".to_owned(),
            format!("{told} MAC 02:00:00:00:00:42"),
            format!("{told} VLAN 100 qos 3"),
            format!("{told} trust on"),
            format!("{told} link state enable"),
            // What may be reached stays.
            format!("{told} rate 100 to 500 Mbit/s"),
            "moving eth2 into the container as eth1".to_owned(),
            "giving eth1 MAC 02:00:00:00:00:42".to_owned(),
        ]
    );
}

#[test]
fn a_radio_takes_all_its_interfaces_and_says_so() {
    let nic = NicView {
        radio: Some(RadioView {
            index: 0,
            name: "phy0".to_owned(),
            others: vec![NicHome::sample("p2p0", 9)],
        }),
        ..eth2()
    };
    let asked = ["pipework.device=eth2", "pipework.type=wifi"];
    let said = steps(&asked, seen(Some(nic.clone())));
    assert_eq!(
        said,
        [
            "taking eth2 off the host",
            "taking p2p0 off the host",
            "moving the radio phy0 with eth2 and p2p0 into the container, eth2 as eth1"
        ]
    );
    let plan = planned(&asked, vec![seen(Some(nic.clone()))]).unwrap();
    assert_eq!(plan.notices, ["the radio phy0 takes p2p0 along with eth2"]);
    let link = planned(&["pipework.link=eth2"], vec![seen(Some(nic.clone()))]).unwrap();
    assert_eq!(link.steps.len(), plan.steps.len());
    let error = refused(&ETH2, seen(Some(nic.clone())));
    assert!(matches!(error, NicPlanError::Wireless { .. }), "{error}");
    let taken = NicView {
        index_is_free: false,
        ..nic
    };
    let error = refused(&asked, seen(Some(taken)));
    assert!(matches!(error, NicPlanError::IndexTaken { .. }), "{error}");
    let error = refused(&asked, seen(Some(eth2())));
    assert!(matches!(error, NicPlanError::NotWireless { .. }), "{error}");
}

#[test]
fn what_ends_with_the_container_is_refused_with_what_to_write_instead() {
    for (kind, hint) in [
        (DeviceKind::Bridge, "pipework.bridge=eth2"),
        (DeviceKind::Macvlan, "pipework.parent=eth2"),
        (DeviceKind::Vlan(100), "pipework.parent=eth2"),
        (DeviceKind::Other("veth".to_owned()), "pipework.parent=eth2"),
        (
            DeviceKind::Other("loopback".to_owned()),
            "pipework.parent=eth2",
        ),
    ] {
        let view = AttachmentView {
            uplink: UplinkView::Present(DeviceView::sample("eth2", kind)),
            ..seen(Some(eth2()))
        };
        let error = refused(&ETH2, view);
        assert!(matches!(error, NicPlanError::EndsWithIt { .. }), "{error}");
        assert!(error.hint().contains(hint), "{}", error.hint());
    }
}

#[test]
fn what_would_not_be_found_again_is_refused() {
    let elsewhere = NicView {
        comes_back_here: false,
        ..eth2()
    };
    let error = refused(&ETH2, seen(Some(elsewhere)));
    assert!(
        matches!(error, NicPlanError::ComesBackElsewhere { .. }),
        "{error}"
    );
    let alike = NicView {
        is_distinct: false,
        ..eth2()
    };
    let error = refused(&ETH2, seen(Some(alike)));
    assert!(matches!(error, NicPlanError::NotDistinct { .. }), "{error}");
}

#[test]
fn what_the_host_uses_is_taken_only_by_force() {
    let mut port = eth2();
    port.home.controller = Some((3, "br0".to_owned()));
    let busy = vec!["VF 0 is in a container".to_owned().into()];
    for (nic, said) in [
        (
            NicView {
                has_default_route: true,
                ..eth2()
            },
            "eth2 carries the host's default route",
        ),
        (port, "eth2 is a port of br0"),
        (
            NicView {
                busy_functions: busy,
                ..eth2()
            },
            "eth2 has virtual functions in use: VF 0 is in a container",
        ),
    ] {
        let error = refused(&ETH2, seen(Some(nic.clone())));
        assert_eq!(error.to_string(), said);
        assert!(error.hint().contains("device.force=true"));
        let forced = ["pipework.device=eth2", "pipework.device.force=true"];
        planned(&forced, vec![seen(Some(nic))]).unwrap();
    }
}

#[test]
fn what_carries_others_is_not_even_taken_by_force() {
    let forced = ["pipework.device=eth2", "pipework.device.force=true"];
    let carries = NicView {
        upper: vec!["eth2.100".to_owned(), "mv0".to_owned()],
        ..eth2()
    };
    let error = refused(&forced, seen(Some(carries)));
    assert_eq!(error.to_string(), "eth2 carries eth2.100, mv0");
    assert_eq!(
        error.hint(),
        "remove them first: ip link del eth2.100; ip link del mv0"
    );
    let used = NicView {
        users: vec!["web".to_owned()],
        ..eth2()
    };
    let error = refused(&forced, seen(Some(used)));
    assert_eq!(error.to_string(), "eth2 is the uplink of web");
}

#[test]
fn a_device_is_not_the_uplink_of_another_interface_of_the_same_request() {
    for asked in [
        ["pipework.0.device=eth2", "pipework.1.parent=eth2"],
        ["pipework.0.parent=eth2", "pipework.1.device=eth2"],
        ["pipework.0.device=eth2", "pipework.1.device=eth2"],
    ] {
        let views = vec![seen(Some(eth2())), seen(Some(eth2()))];
        let error = planned(&asked, views).unwrap_err();
        let used_twice = matches!(error, PlanError::Nic(NicPlanError::UsedTwice { .. }));
        assert!(used_twice, "{asked:?}: {error}");
    }
}

#[test]
fn what_is_no_virtual_function_has_none_of_its_settings() {
    let asked = ["pipework.device=eth2", "pipework.vf.trust=true"];
    let error = refused(&asked, seen(Some(eth2())));
    assert!(
        error.to_string().ends_with("so it has no vf.trust"),
        "{error}"
    );
    assert!(
        error
            .origin()
            .to_string()
            .contains("pipework.vf.trust=true")
    );
}

#[test]
fn a_card_without_a_free_function_says_why() {
    let view = |count, reasons: &[&str]| AttachmentView {
        busy: Some(BusyFunctions {
            count,
            reasons: reasons.iter().map(|r| (*r).to_owned().into()).collect(),
        }),
        ..seen(Some(eth2()))
    };
    let asked = ["pipework.device=pf:eth2"];
    let error = refused(&asked, view(0, &[]));
    assert!(error.hint().contains("sriov_numvfs"), "{}", error.hint());
    let error = refused(&asked, view(1, &["VF 0 is in a container"]));
    assert_eq!(
        error.to_string(),
        "eth2 has no free virtual function: VF 0 is in a container"
    );
}

#[test]
fn what_says_nothing_about_a_device_is_refused_by_name() {
    let asked = ["pipework.device=pf:eth2", "pipework.mac=@100"];
    let error = refused(&asked, seen(Some(eth2())));
    assert!(
        error.hint().contains("pipework.vf.vlan"),
        "{}",
        error.hint()
    );
    let asked = [
        "pipework.device=eth2",
        "pipework.mac=@100",
        "pipework.device.force=true",
    ];
    let error = planned(&asked, vec![seen(None)]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "device.force is not possible on a VLAN of a network card: the card stays where it is"
    );
}

#[test]
fn a_child_of_an_infiniband_interface_is_made_inside() {
    let ib0 = || AttachmentView {
        uplink: UplinkView::Present(DeviceView {
            up: false,
            mac: None,
            ..DeviceView::sample("ib0", DeviceKind::Other("ipoib".to_owned()))
        }),
        ..seen(None)
    };
    let asked = [
        "pipework.ipoib=ib0",
        "pipework.mac=@8001",
        "pipework.ipoib.mode=connected",
    ];
    assert_eq!(
        steps(&asked, ib0()),
        [
            "bringing up ib0 on the host",
            "making ib0, a child of ib0 in partition 0x8001 in mode connected"
        ]
    );
    // pipework's first argument, and its @, mean the same.
    let link = ["pipework.link=ib0"];
    assert_eq!(
        steps(&link, ib0()),
        ["bringing up ib0 on the host", "making ib0, a child of ib0"]
    );
    let error = refused(&["pipework.ipoib=eth2"], seen(None));
    assert!(
        matches!(error, NicPlanError::NotInfiniband { .. }),
        "{error}"
    );
}
