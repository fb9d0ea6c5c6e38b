//! What `pipework plan` says of devices that only some machines have: cards that
//! are handed over, virtual functions, radios, InfiniBand.
//!
//! The files are those of tests/golden.rs, which has the rest of them on a real
//! kernel; `UPDATE_GOLDEN=1` writes these anew, too.

use std::fs;
use std::path::Path;

use super::planned;
use crate::error::report;
use crate::host::view::{
    AttachmentView, BusyFunctions, DeviceKind, DeviceView, HostView, NamespaceView, NicView,
    RadioView, UplinkView, VfView,
};
use crate::plan::Identity;
use crate::request::annotations;
use crate::sys::rtnl::NicHome;

fn device(name: &str, kind: DeviceKind) -> DeviceView {
    let device = DeviceView::sample(name, kind);
    DeviceView {
        permanent_mac: device.mac,
        ..device
    }
}

fn card(nic: NicView) -> AttachmentView {
    let name = nic.home.state.name.clone();
    AttachmentView {
        uplink: UplinkView::Present(device(&name, DeviceKind::Nic)),
        nic: Some(Box::new(nic)),
        ..AttachmentView::from(UplinkView::Absent)
    }
}

fn eth2() -> NicView {
    NicView::sample("eth2", 7)
}

fn function() -> NicView {
    NicView {
        vf: Some(VfView {
            function_up: false,
            ..VfView::sample()
        }),
        ..NicView::sample("ens1f0v1", 7)
    }
}

fn wlan0() -> NicView {
    NicView {
        radio: Some(RadioView {
            index: 0,
            name: "phy0".to_owned(),
            others: vec![NicHome::sample("p2p0", 9)],
        }),
        ..NicView::sample("wlan0", 7)
    }
}

fn no_free_function() -> AttachmentView {
    AttachmentView {
        uplink: UplinkView::Present(device("ens1f0", DeviceKind::Nic)),
        busy: Some(BusyFunctions {
            count: 2,
            reasons: ["ens1f0v0 is up", "1 is in web"]
                .map(|reason| reason.to_owned().into())
                .to_vec(),
        }),
        ..AttachmentView::from(UplinkView::Absent)
    }
}

fn ib0() -> AttachmentView {
    let device = DeviceView {
        mac: None,
        permanent_mac: None,
        mtu: 2044,
        up: false,
        ..device("ib0", DeviceKind::Other("infiniband".to_owned()))
    };
    AttachmentView::from(UplinkView::Present(device))
}

/// Name of the file, what is asked, and what the host has of it.
type Session = (&'static str, Vec<&'static str>, AttachmentView);

const IP: &str = "pipework.ip=10.0.0.5/24@10.0.0.1";

fn cards() -> Vec<Session> {
    let in_use = NicView {
        has_default_route: true,
        ..eth2()
    };
    vec![
        ("device", vec!["pipework.device=eth2", IP], card(eth2())),
        (
            "device-by-its-place-on-the-bus",
            vec!["pipework.device=pci:0000:03:00.0", IP],
            card(eth2()),
        ),
        (
            "device-with-settings",
            vec![
                "pipework.link=mac:52:54:00:00:00:02",
                "pipework.type=phys",
                "pipework.ifname=lan0",
                "pipework.mac=02:00:00:00:00:42",
                "pipework.mtu=1400",
                "pipework.rate.out=10mbit",
                IP,
            ],
            card(eth2()),
        ),
        (
            "device-in-use",
            vec!["pipework.device=eth2", IP],
            card(in_use),
        ),
        (
            "vlan-of-a-device",
            vec!["pipework.device=eth2", "pipework.vlan=100", IP],
            card(eth2()),
        ),
        (
            "virtual-function",
            vec![
                "pipework.device=pf:ens1f0",
                "pipework.mac=02:00:00:00:00:42",
                "pipework.vf.vlan=100",
                "pipework.vf.qos=3",
                "pipework.vf.spoofchk=true",
                "pipework.vf.trust=true",
                "pipework.vf.link-state=enable",
                "pipework.vf.min-tx-rate=50mbit",
                "pipework.vf.max-tx-rate=200mbit",
                IP,
            ],
            card(function()),
        ),
        (
            "virtual-function-of-a-full-card",
            vec!["pipework.device=pf:ens1f0"],
            no_free_function(),
        ),
    ]
}

fn radios_and_infiniband() -> Vec<Session> {
    vec![
        (
            "radio",
            vec!["pipework.device=wlan0", "pipework.type=wifi", IP],
            card(wlan0()),
        ),
        (
            "radio-as-a-device",
            vec!["pipework.device=wlan0"],
            card(wlan0()),
        ),
        (
            "infiniband",
            vec![
                "pipework.ipoib=ib0",
                "pipework.mac=@8001",
                "pipework.ipoib.mode=connected",
                IP,
            ],
            ib0(),
        ),
        (
            "infiniband-with-a-mac",
            vec!["pipework.link=ib0", "pipework.mac=02:00:00:00:00:42"],
            ib0(),
        ),
    ]
}

fn session(asked: &[&str], view: AttachmentView) -> String {
    let pairs = asked.iter().map(|pair| pair.split_once('=').unwrap());
    let request = annotations::parse(pairs).unwrap().unwrap();
    let view = HostView {
        uplinks: vec![view],
        namespace: NamespaceView::default(),
        own_addresses: Vec::new(),
    };
    let words = asked
        .iter()
        .map(|pair| format!(" \\\n    --annotation '{pair}'"));
    let said = match planned(&request, &view, &Identity::sample(), true) {
        Ok(text) => text,
        Err(error) => {
            let code = error.exit_code() as u8;
            format!("{}\nexit code {code}\n", report(&error, None).trim_end())
        }
    };
    format!("$ pipework plan{}\n{said}", words.collect::<String>())
}

#[test]
fn a_plan_for_a_card_a_function_a_radio_and_infiniband_reads_as_it_always_did() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    for (name, asked, view) in [cards(), radios_and_infiniband()].concat() {
        let path = folder.join(format!("{name}.txt"));
        let said = session(&asked, view);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&path, &said).unwrap();
        }
        let expected = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(said, expected, "{}", path.display());
    }
}
