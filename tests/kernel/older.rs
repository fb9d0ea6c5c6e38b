//! Records as an earlier release wrote them, byte by byte: what they name is taken
//! back by this one.

use std::fs;

use serde_json::Value;

use crate::ovs_ends::{ASKED, Before};
use crate::support::lab::snapshot::Records;
use crate::support::lab::{Container, lab};
use crate::support::ovs::ovs;

const OVS: &str = include_str!("bytes/ovs.record");

/// Writes the former record in the place of today's; whose it is, and nothing
/// else, is of today.
fn put_former_record() {
    let records = Records::take();
    let path = records.of("attachments")[0];
    let today = fs::read_to_string(path).unwrap();
    let body =
        |text: &str| -> Value { serde_json::from_str(text.split_once('\n').unwrap().1).unwrap() };
    let (now, then) = (body(&today), body(OVS));
    let mut text = OVS.to_owned();
    for place in [
        "/key/boot_id",
        "/key/cookie",
        "/inode",
        "/attachments/0/ifindex",
        "/attachments/0/uplink_ifindex",
        "/attachments/0/undo/1/ifindex",
        "/attachments/0/references/0/init/pid",
        "/attachments/0/references/0/init/birth",
    ] {
        let word = |record: &Value| {
            let value = record.pointer(place).expect(place).to_string();
            value.trim_matches('"').to_owned()
        };
        assert!(text.contains(&word(&then)), "{place}");
        text = text.replace(&word(&then), &word(&now));
    }
    assert_ne!(text, today);
    fs::write(path, text).unwrap();
}

#[test]
fn a_port_of_open_vswitch_that_an_earlier_release_recorded_goes_with_its_container() {
    lab!(|lab| {
        let ovs = ovs!(lab);
        ovs.bridge("ovs0");
        let before = Before::take(lab, &ovs);
        for unannounced in [false, true] {
            let container: Container = lab.container("web");
            lab.attach(&container, &ASKED).ok();
            put_former_record();
            // While it lives it keeps its port.
            lab.poststop("web").ok();
            lab.gc().ok();
            assert_eq!(ovs.ports("ovs0").len(), 1);
            container.end();
            let outcome = match unannounced {
                false => lab.poststop("web"),
                true => lab.gc(),
            };
            outcome.ok();
            before.is_now(lab, &ovs, "after its end");
        }
    });
}
