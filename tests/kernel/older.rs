//! Records of other releases. As an earlier one wrote them, byte by byte: what they
//! name is taken back by this one. As a newer one may write them: this one leaves them
//! alone, and what they name, until that release is there again.

use std::fs;
use std::path::Path;
use std::time::Instant;

use serde_json::Value;

use crate::device::{Furnished, PATIENCE, device};
use crate::ovs_ends::{ASKED, Before};
use crate::support::lab::snapshot::{Records, Snapshot};
use crate::support::lab::{Container, Lab, RECORDS, ip, lab};
use crate::support::ovs::ovs;
use crate::support::vm::vm;

const OVS: &str = include_str!("bytes/ovs.record");
const NIC: &str = include_str!("bytes/nic.record");

fn body(text: &str) -> Value {
    serde_json::from_str(text.split_once('\n').unwrap().1).unwrap()
}

/// Writes the former record in the place of today's; whose it is, and nothing
/// else, is of today.
fn put_former_record() {
    let records = Records::take();
    let path = records.of("attachments")[0];
    let today = fs::read_to_string(path).unwrap();
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

/// The same for a NIC, of which a record says more that is of today: which one it is,
/// and how it was.
fn put_former_record_of_a_nic() {
    let records = Records::take();
    let path = records.of("attachments")[0];
    let today = fs::read_to_string(path).unwrap();
    let (now, mut then) = (body(&today), body(NIC));
    for place in [
        "/key",
        "/inode",
        "/attachments/0/ifindex",
        "/attachments/0/uplink",
        "/attachments/0/uplink_ifindex",
        "/attachments/0/mac",
        "/attachments/0/undo/0/traveller",
        "/attachments/0/undo/1/home/id",
        "/attachments/0/undo/1/home/state/name",
        "/attachments/0/undo/1/home/state/ifindex",
        "/attachments/0/undo/1/home/state/mac",
        "/attachments/0/undo/1/home/state/permanent_mac",
        "/attachments/0/undo/1/claim",
        "/attachments/0/references/0",
    ] {
        let of_today = now.pointer(place).expect(place).clone();
        *then.pointer_mut(place).expect(place) = of_today;
    }
    assert_ne!(then, now);
    let first = today.lines().next().unwrap();
    fs::write(path, format!("{first}\n{then}")).unwrap();
}

#[test]
fn a_nic_that_an_earlier_release_recorded_comes_back_with_the_end_of_its_container() {
    vm!(|vm| {
        let nic = vm.nics("igb").remove(0);
        // That release has seen it like this.
        ip(&format!("link set {} down mtu 1500", nic.name));
        let before = Snapshot::take();
        for unannounced in [false, true] {
            let container = vm.container("web");
            vm.attach(&container, &[&device(&nic)]).ok();
            put_former_record_of_a_nic();
            // While it lives it keeps its NIC.
            vm.poststop("web").ok();
            vm.gc().ok();
            assert_eq!(nic.present_name(), None);
            vm.inside(&container, || ip("link set eth1 down mtu 1300 name other"));
            container.end();
            let outcome = match unannounced {
                false => vm.poststop("web"),
                true => vm.gc(),
            };
            outcome.ok();
            before.assert_equal(&Snapshot::take(), "after its end");
            assert!(Records::take().is_empty(), "{:?}", Records::take());
        }
    });
}

/// Files that are a newer release's for a while.
struct Newer(Vec<(String, String)>);

impl Newer {
    /// Makes it those of attachments and NICs.
    fn make() -> Self {
        let records = Records::take();
        let mut files = Vec::new();
        for path in [records.of("attachments"), records.of("nics")].concat() {
            let text = fs::read_to_string(path).unwrap();
            files.push((path.to_owned(), text));
        }
        let made = Self(files);
        for (path, text) in &made.0 {
            assert_ne!(newer(text), *text, "{path}");
            fs::write(path, newer(text)).unwrap();
        }
        made
    }

    /// None of them has changed, or gone.
    #[track_caller]
    fn assert_left_alone(&self, what: &str) {
        for (path, text) in &self.0 {
            let now = fs::read_to_string(path).ok();
            assert_eq!(now, Some(newer(text)), "{what}: {path}");
        }
    }

    /// The release that wrote them is there again.
    fn take_back(self) {
        for (path, text) in self.0 {
            fs::write(path, text).unwrap();
        }
    }
}

fn newer(text: &str) -> String {
    let text = text.replacen("pipework 1 ", "pipework 99 ", 1);
    text.replacen("{\"version\":1,", "{\"version\":99,", 1)
}

/// The end of the container `web`, and a sweep, as this release sees to them.
#[track_caller]
fn end(lab: &Lab, container: Container, records: &Newer) {
    container.end();
    lab.poststop("web").ok();
    records.assert_left_alone("after poststop");
    let said = lab.gc().stderr();
    assert!(said.contains("newer release"), "{said}");
    records.assert_left_alone("after gc");
}

#[test]
fn a_port_of_open_vswitch_that_a_newer_release_recorded_is_left_to_that() {
    lab!(|lab| {
        let ovs = ovs!(lab);
        ovs.bridge("ovs0");
        let before = Before::take(lab, &ovs);
        let container = lab.container("web");
        lab.attach(&container, &ASKED).ok();
        let records = Newer::make();
        end(lab, container, &records);
        assert_eq!(ovs.ports("ovs0").len(), 1);
        // Others go on.
        let other = lab.container("db");
        let asked = ["pipework.ovs=ovs0", "pipework.ip=10.0.0.6/24"];
        lab.attach(&other, &asked).ok();
        other.end();
        lab.poststop("db").ok();
        records.assert_left_alone("after another container");
        records.take_back();
        lab.gc().ok();
        before.is_now(lab, &ovs, "after the gc of that release");
    });
}

#[test]
fn a_nic_that_a_newer_release_recorded_is_left_to_that() {
    vm!(|vm| {
        let nic = vm.nics("igb").remove(0);
        let host = Furnished::new(&nic);
        let container = vm.container("web");
        vm.attach(&container, &[&device(&nic)]).ok();
        let records = Newer::make();
        assert!(Path::new(RECORDS).join("nics").is_dir());
        end(vm, container, &records);
        // The kernel gives it back, as the container had it.
        nic.wait_for_return(Instant::now() + PATIENCE).unwrap();
        let other = vm.container("db");
        let report = vm.attach(&other, &[&device(&nic)]).refused(20);
        assert!(report.contains("newer release"), "{report}");
        records.assert_left_alone("after a start that asked for it");
        records.take_back();
        vm.gc().ok();
        host.assert_back("after the gc of that release");
    });
}
