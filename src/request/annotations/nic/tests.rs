//! Devices that are handed over, virtual functions and InfiniBand, as written.

use crate::request::annotations::parse;
use crate::request::{Attachment, DeviceRef, PhysicalRef, TxRate, Uplink};

fn asked(pairs: &[(&'static str, &'static str)]) -> Attachment {
    let request = parse(pairs.iter().copied()).unwrap().unwrap();
    request.attachments[0].clone()
}

fn refused(pairs: &[(&'static str, &'static str)]) -> String {
    parse(pairs.iter().copied()).unwrap_err().to_string()
}

fn name(text: &str) -> DeviceRef {
    text.parse().unwrap()
}

#[test]
fn a_device_is_named_in_every_way_and_the_type_says_the_same() {
    for (pairs, device) in [
        (&[("pipework.device", "eth2")][..], "eth2"),
        (
            &[("pipework.device", "MAC:52:54:00:00:00:0A")],
            "mac:52:54:00:00:00:0a",
        ),
        (
            &[("pipework.device", "pci:0000:3B:02.0")],
            "pci:0000:3b:02.0",
        ),
        (
            &[("pipework.link", "eth2"), ("pipework.type", "phys")],
            "eth2",
        ),
    ] {
        let device = PhysicalRef::Device(name(device));
        assert_eq!(asked(pairs).uplink.value, Uplink::Physical { device });
    }
}

#[test]
fn a_free_virtual_function_has_settings_of_its_own() {
    let attachment = asked(&[
        ("pipework.device", "pf:ens1f0"),
        ("pipework.vf.vlan", "100"),
        ("pipework.vf.qos", "3"),
        ("pipework.vf.max-tx-rate", "1gbit"),
    ]);
    let device = PhysicalRef::FreeVf(name("ens1f0"));
    assert_eq!(attachment.uplink.value, Uplink::Physical { device });
    let vf = attachment.device.vf;
    let rate = vf.max_tx_rate.map(|asked| asked.value).map(TxRate::mbits);
    assert_eq!(rate, Some(1000));
    assert_eq!(vf.vlan.unwrap().value.map(u16::from), Some(100));
}

#[test]
fn what_is_said_of_a_device_is_refused_of_any_other_uplink() {
    for (key, value) in [
        ("pipework.device.force", "true"),
        ("pipework.vf.trust", "true"),
        ("pipework.ipoib.pkey", "8001"),
        ("pipework.ipoib.mode", "connected"),
    ] {
        let error = refused(&[("pipework.bridge", "br0"), (key, value)]);
        assert!(
            error.contains(key) && error.contains("pipework.bridge=br0"),
            "{error}"
        );
    }
    let wifi = [("pipework.device", "wlan0"), ("pipework.type", "wifi")];
    assert!(
        refused(&[wifi[0], wifi[1], ("pipework.vf.trust", "true")]).contains("virtual function")
    );
    assert!(refused(&[("pipework.device", "pf:eth2"), wifi[1]]).contains("no virtual functions"));
}

#[test]
fn a_device_has_neither_a_mode_nor_an_end_on_the_host() {
    let device = ("pipework.device", "eth2");
    assert!(refused(&[device, ("pipework.mode", "private")]).contains("have a mode"));
    assert!(refused(&[device, ("pipework.hostif", "web0")]).contains("end on the host"));
}

#[test]
fn a_priority_needs_a_vlan_and_a_guarantee_stays_below_the_limit() {
    let device = ("pipework.device", "pf:eth2");
    assert!(refused(&[device, ("pipework.vf.qos", "3")]).contains("vf.vlan"));
    let rates = [
        device,
        ("pipework.vf.min-tx-rate", "20mbit"),
        ("pipework.vf.max-tx-rate", "10mbit"),
    ];
    assert!(refused(&rates).contains("guaranteed is above"));
    assert!(refused(&[device, ("pipework.vf.max-tx-rate", "1500kbit")]).contains("whole number"));
}

#[test]
fn what_stands_behind_the_at_of_an_infiniband_interface_is_its_partition() {
    let pkey = |pairs: &[(&'static str, &'static str)]| match asked(pairs).uplink.value {
        Uplink::Ipoib { pkey, .. } => pkey.map(u16::from),
        other => panic!("{other:?}"),
    };
    let ipoib = ("pipework.ipoib", "ib0");
    assert_eq!(pkey(&[ipoib]), None);
    assert_eq!(pkey(&[ipoib, ("pipework.mac", "@8001")]), Some(0x8001));
    // 100 is a partition as well as a VLAN: 0x100, a full member.
    assert_eq!(pkey(&[ipoib, ("pipework.mac", "@100")]), Some(0x8100));
    assert_eq!(
        pkey(&[ipoib, ("pipework.ipoib.pkey", "0xffff")]),
        Some(0xffff)
    );
    let link = [
        ("pipework.link", "ib0"),
        ("pipework.type", "ipoib"),
        ("pipework.mac", "@8001"),
    ];
    assert_eq!(pkey(&link), Some(0x8001));
    let attachment = asked(&[ipoib, ("pipework.mac", "@100")]);
    assert_eq!(
        (attachment.vlan, attachment.ifname.value.as_str()),
        (None, "ib0")
    );
}

#[test]
fn an_infiniband_interface_has_no_mac_and_no_vlan() {
    let ipoib = ("pipework.ipoib", "ib0");
    let error = refused(&[ipoib, ("pipework.mac", "02:00:00:00:00:05@8001")]);
    assert!(
        error.contains("address of an IPoIB interface cannot be set"),
        "{error}"
    );
    assert!(refused(&[ipoib, ("pipework.mac", "@8000")]).contains("partition key"));
    let two = [
        ipoib,
        ("pipework.mac", "@8001"),
        ("pipework.ipoib.pkey", "8002"),
    ];
    assert!(refused(&two).contains("one partition"));
}

#[test]
fn a_partition_is_no_vlan_of_any_other_uplink() {
    let error = refused(&[("pipework.parent", "eth1"), ("pipework.mac", "@8001")]);
    assert!(error.contains("8001 is not a VLAN"), "{error}");
}
