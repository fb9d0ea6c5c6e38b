//! Devices that are handed over: judged by what they are, and by what goes
//! along with them.

use super::fixtures::*;
use crate::host::view::{
    AttachmentView, DeviceKind, HostView, NicView, OvsView, RadioView, UplinkView, VfView,
};
use crate::policy::{Caller, PolicyError, judge};
use crate::request::{Attachment, DeviceRef, PhysicalRef, Request, Uplink};
use crate::sys::rtnl::NicHome;

fn name(text: &str) -> DeviceRef {
    DeviceRef::Name(ifname(text))
}

fn phys(device: &str) -> Attachment {
    let device = PhysicalRef::Device(name(device));
    attachment(Uplink::Physical { device })
}

fn free_vf() -> Attachment {
    let device = PhysicalRef::FreeVf(name("ens1f0"));
    attachment(Uplink::Physical { device })
}

fn seen(device_name: &str, nic: NicView) -> HostView {
    let device = device(device_name, DeviceKind::Nic);
    let mut view = view(Vec::new());
    view.uplinks.push(AttachmentView {
        uplink: UplinkView::Present(device),
        nic: Some(Box::new(nic)),
        ..AttachmentView::from(UplinkView::Absent)
    });
    view
}

/// eth5, which is a virtual function of ens1f0.
fn eth5() -> HostView {
    let nic = NicView {
        vf: Some(VfView::sample()),
        ..NicView::sample("eth5", 7)
    };
    seen("eth5", nic)
}

fn rule(lines: &str) -> String {
    format!("[[rule]]\ncaller=\"any\"\n{lines}\n")
}

#[test]
fn a_free_function_is_judged_by_its_card_and_as_a_kind_of_its_own() {
    let wanted = request(free_vf());
    let allow = rule("uplink=\"ens1f0\"\nkind=\"vf\"");
    root_asks(&allow, &wanted, &eth5()).unwrap();
    let whole = rule("uplink=\"ens1f0\"\nkind=\"phys\"");
    root_asks(&whole, &wanted, &eth5()).unwrap_err();
    // Who may have functions of the card may not have the card.
    let card = seen("ens1f0", NicView::sample("ens1f0", 3));
    root_asks(&allow, &request(phys("ens1f0")), &card).unwrap_err();
}

#[test]
fn a_function_that_is_named_itself_is_also_part_of_its_card() {
    let wanted = request(phys("eth5"));
    root_asks(&rule("uplink=\"eth5\"\nkind=\"phys\""), &wanted, &eth5()).unwrap_err();
    let both = rule("uplink=\"eth5\"\nlower=\"ens1f0\"\nkind=\"phys\"");
    root_asks(&both, &wanted, &eth5()).unwrap();
    let ban = format!("[[rule]]\naction=\"deny\"\nuplink=\"ens1f0\"\n{both}");
    let error = root_asks(&ban, &wanted, &eth5()).unwrap_err();
    assert!(matches!(error, PolicyError::Denied { .. }), "{error}");
}

#[test]
fn what_goes_along_with_a_radio_is_asked_for_as_well() {
    let device = name("wlan0");
    let wanted = request(attachment(Uplink::Wifi { device }));
    let nic = NicView {
        radio: Some(RadioView {
            index: 0,
            name: "phy0".to_owned(),
            others: vec![NicHome::sample("p2p0", 9)],
        }),
        ..NicView::sample("wlan0", 7)
    };
    let host = seen("wlan0", nic);
    let error = root_asks(&rule("uplink=\"wlan0\"\nkind=\"wifi\""), &wanted, &host).unwrap_err();
    assert!(error.to_string().contains("p2p0"), "{error}");
    let both = rule("uplink=\"wlan0\"\nlower=\"p2p0\"\nkind=\"wifi\"");
    root_asks(&both, &wanted, &host).unwrap();
}

#[test]
fn a_first_argument_that_is_wireless_is_judged_as_a_radio() {
    let link = Uplink::Link {
        device: name("wlan0"),
        mode: Default::default(),
    };
    let host = seen("wlan0", NicView::sample("wlan0", 7));
    let wanted = request(attachment(link));
    root_asks(&rule("uplink=\"any\"\nkind=\"macvlan\""), &wanted, &host).unwrap_err();
    root_asks(&rule("uplink=\"any\"\nkind=\"wifi\""), &wanted, &host).unwrap();
}

#[test]
fn a_first_argument_is_judged_as_what_it_turns_out_to_be() {
    let other = |kind: &str| DeviceKind::Other(kind.to_owned());
    let is = |kind| UplinkView::Present(device("it", kind));
    let unasked = |uplink| AttachmentView::from(uplink);
    let of_ovs = |uplink| AttachmentView {
        ovs: OvsView::Bridge { in_kernel: true },
        ..AttachmentView::from(uplink)
    };
    for (first, seen, kind) in [
        ("it", unasked(is(DeviceKind::Bridge)), "bridge"),
        ("it", unasked(is(DeviceKind::Nic)), "macvlan"),
        ("it", unasked(is(other("ipoib"))), "ipoib"),
        ("it", of_ovs(is(other("openvswitch"))), "ovs"),
        ("it", of_ovs(is(other("tun"))), "ovs"),
        ("it", unasked(is(other("openvswitch"))), "macvlan"),
        ("it", of_ovs(UplinkView::Absent), "ovs"),
        ("ovs5", unasked(UplinkView::Absent), "ovs"),
        ("dummy5", unasked(UplinkView::Absent), "dummy"),
        ("br5", unasked(UplinkView::Absent), "bridge"),
    ] {
        let link = Uplink::Link {
            device: name(first),
            mode: Default::default(),
        };
        let mut host = view(Vec::new());
        host.uplinks.push(seen);
        for asked in ["bridge", "ovs", "macvlan", "ipoib", "dummy", "wifi", "phys"] {
            let rule = rule(&format!(
                "uplink=\"any\"\nkind=\"{asked}\"\ncreate-bridge=true\nvlan=\"any\""
            ));
            let judged = root_asks(&rule, &request(attachment(link.clone())), &host);
            assert_eq!(judged.is_ok(), asked == kind, "{first}, {kind}: {judged:?}");
        }
    }
}

#[test]
fn settings_of_a_function_are_listed_one_by_one_and_its_vlan_as_a_vlan() {
    let mut wanted = free_vf();
    wanted.device.vf.trust = Some(asked(true));
    wanted.device.vf.vlan = Some(asked(Some("100".parse().unwrap())));
    let wanted = request(wanted);
    let base = "uplink=\"ens1f0\"\nkind=\"vf\"";
    for (listed, allowed) in [
        ("vf=[\"trust\", \"vlan\"]\nvlan=100", true),
        ("vf=\"any\"\nvlan=\"any\"", true),
        ("vf=[\"trust\", \"vlan\"]", false),
        ("vf=[\"vlan\"]\nvlan=100", false),
        ("vlan=100", false),
    ] {
        let judged = root_asks(&rule(&format!("{base}\n{listed}")), &wanted, &eth5());
        assert_eq!(judged.is_ok(), allowed, "{listed}: {judged:?}");
    }
}

fn forced() -> Request {
    let mut wanted = phys("eth2");
    wanted.device.force = Some(asked(true));
    request(wanted)
}

#[test]
fn a_device_that_the_host_uses_is_forced_by_nobody_whose_rule_does_not_say_so() {
    let host = seen("eth2", NicView::sample("eth2", 2));
    let base = "uplink=\"eth2\"\nkind=\"phys\"";
    root_asks(&rule(base), &forced(), &host).unwrap_err();
    let allow = rule(&format!("{base}\ndevice-force=true"));
    root_asks(&allow, &forced(), &host).unwrap();
}

#[test]
fn no_rule_lets_a_pod_take_a_device_that_the_host_uses() {
    let host = seen("eth2", NicView::sample("eth2", 2));
    let text = rule("uplink=\"any\"\nkind=\"any\"\ndevice-force=true");
    let policy = parse(&text).unwrap();
    let pod = Caller::Tenant {
        namespace: None,
        account: None,
    };
    let error = judge(Some(&policy), &pod, &forced(), &host).unwrap_err();
    assert!(matches!(error, PolicyError::NeverForPods { .. }), "{error}");
}

#[test]
fn a_partition_is_bounded_where_it_is_asked_for() {
    let ipoib = |pkey: Option<&str>| {
        let pkey = pkey.map(|pkey| pkey.parse().unwrap());
        request(attachment(Uplink::Ipoib {
            parent: name("ib0"),
            pkey,
            mode: None,
        }))
    };
    let host = host(device("ib0", DeviceKind::Other("infiniband".to_owned())));
    let base = "uplink=\"ib0\"\nkind=\"ipoib\"";
    root_asks(&rule(base), &ipoib(None), &host).unwrap();
    root_asks(&rule(base), &ipoib(Some("8001")), &host).unwrap_err();
    let listed = rule(&format!("{base}\npkey=[\"0x8001-0x800f\", \"ffff\"]"));
    root_asks(&listed, &ipoib(Some("8001")), &host).unwrap();
    root_asks(&listed, &ipoib(Some("7fff")), &host).unwrap();
    root_asks(&listed, &ipoib(Some("8010")), &host).unwrap_err();
    assert!(parse(&rule("uplink=\"any\"\npkey=[\"0x8000\"]")).is_err());
}
