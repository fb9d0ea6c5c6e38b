//! Who is ended before another begins, and when.

use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;

use serde_json::json;

use super::*;

/// A directory of the test's own, removed with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("pipework-endpoint-{name}-{}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn network() -> Network {
    Network {
        has_pools: true,
        listed_by: None,
        id: "0123456789abcdef".to_owned(),
        fields: vec![("pipework.bridge".to_owned(), "br0".to_owned())],
        worded: Vec::new(),
        subnets: Vec::new(),
        prefix: "eth".to_owned(),
        is_internal: false,
    }
}

fn asked(id: &str) -> CreateEndpoint {
    let asked = json!({
        "NetworkID": network().id,
        "EndpointID": id,
        "Interface": { "Address": "10.0.0.5/24", "AddressIPv6": "", "MacAddress": "" },
        "Options": {},
    });
    serde_json::from_value(asked).unwrap()
}

#[test]
fn who_had_the_address_is_ended_once_nobody_works_on_it() {
    let folder = Folder::new("turn");
    let driver = Driver::at(&folder.0).unwrap();
    let addresses = ["10.0.0.5/24".parse().unwrap()];
    let with = (&Settings::default(), addresses.as_slice());
    let mut former = begin(&driver, &network(), &asked("former"), with).unwrap();
    // Of a former boot: nothing of it can be in the kernel.
    former.boot_id = "another".to_owned();
    driver.state.write(&former).unwrap();
    let turn = driver.enter("former");
    let (tell, told) = mpsc::channel();
    thread::scope(|scope| {
        let driver = &driver;
        scope.spawn(move || {
            let begun = begin(driver, &network(), &asked("later"), with);
            tell.send(begun.unwrap().id).unwrap();
        });
        let early = told.recv_timeout(Duration::from_millis(100));
        assert!(early.is_err(), "another call works on it");
        assert!(driver.state.read::<Endpoint>("former").unwrap().is_some());
        // Whoever else begins meanwhile is not held up.
        let elsewhere = ["10.0.0.6/24".parse().unwrap()];
        let with = (&Settings::default(), elsewhere.as_slice());
        begin(driver, &network(), &asked("other"), with).unwrap();
        drop(turn);
        assert_eq!(told.recv().unwrap(), "later");
    });
    assert!(driver.state.read::<Endpoint>("former").unwrap().is_none());
}

#[test]
fn a_turn_is_waited_for_until_the_deadline() {
    let folder = Folder::new("busy");
    let driver = Driver::at(&folder.0).unwrap();
    let _turn = driver.enter("one");
    let deadline = Deadline::after(Duration::from_millis(20));
    assert!(driver.enter_until("one", deadline).is_none());
    assert!(driver.enter_until("two", deadline).is_some());
}

#[test]
fn the_file_on_which_a_namespace_was_mounted_is_no_container() {
    let folder = Folder::new("file");
    let driver = Driver::at(&folder.0).unwrap();
    let with = (&Settings::default(), [].as_slice());
    let mut begun = begin(&driver, &network(), &asked("one"), with).unwrap();
    let path = folder.0.join("bfb50f70b4ac");
    std::fs::write(&path, "").unwrap();
    begun.sandbox = Some(path);
    assert!(place::is_dead(&begun));
}

#[test]
fn an_address_that_a_living_container_has_is_refused_to_another() {
    let folder = Folder::new("address");
    let driver = Driver::at(&folder.0).unwrap();
    let addresses = ["10.0.0.5/24".parse().unwrap()];
    let with = (&Settings::default(), addresses.as_slice());
    let mut first = begin(&driver, &network(), &asked("first"), with).unwrap();
    // As if it were in a container; loopback is everywhere.
    first.sandbox = Some(PathBuf::from("/proc/self/ns/net"));
    first.ifindex = 1;
    driver.state.write(&first).unwrap();
    let second = begin(&driver, &network(), &asked("second"), with);
    assert_eq!(
        second.unwrap_err().to_string(),
        "another container still has 10.0.0.5"
    );
}

#[test]
fn a_name_that_a_living_container_has_is_refused_to_another() {
    let folder = Folder::new("name");
    let driver = Driver::at(&folder.0).unwrap();
    let named = serde_json::from_value(json!({ "name": "web" })).unwrap();
    let settings = Settings::of_container(&named).unwrap();
    let with = (&settings, [].as_slice());
    let mut first = begin(&driver, &network(), &asked("first"), with).unwrap();
    let refused = |what: &str| {
        let second = begin(&driver, &network(), &asked("second"), with);
        let said = second.unwrap_err().to_string();
        assert!(said.contains("known as web"), "{what}: {said}");
    };
    refused("not joined yet");
    // As if it were in a container; loopback is everywhere.
    first.sandbox = Some(PathBuf::from("/proc/self/ns/net"));
    first.ifindex = 1;
    driver.state.write(&first).unwrap();
    refused("joined");
    driver.state.forget::<Endpoint>("first").unwrap();
    begin(&driver, &network(), &asked("second"), with).unwrap();
}

#[test]
fn a_name_of_a_former_boot_is_chosen_again() {
    let folder = Folder::new("boot");
    let driver = Driver::at(&folder.0).unwrap();
    let with = (&Settings::default(), [].as_slice());
    let mut former = begin(&driver, &network(), &asked("former"), with).unwrap();
    // Nobody has looked since the machine started.
    former.boot_id = "another".to_owned();
    driver.state.write(&former).unwrap();
    let later = begin(&driver, &network(), &asked("later"), with).unwrap();
    assert_eq!(later.name, former.name);
    assert!(driver.state.read::<Endpoint>("former").unwrap().is_none());
    // Of this boot it is held, though nothing has become of it yet.
    let other = begin(&driver, &network(), &asked("other"), with).unwrap();
    assert_ne!(other.name, later.name);
}

#[test]
fn no_name_is_chosen_while_an_endpoint_cannot_be_read() {
    let folder = Folder::new("unreadable");
    let driver = Driver::at(&folder.0).unwrap();
    std::fs::write(folder.0.join("endpoints/0123"), "{").unwrap();
    let with = (&Settings::default(), [].as_slice());
    let refused = begin(&driver, &network(), &asked("one"), with);
    let said = refused.unwrap_err().to_string();
    assert!(said.contains("endpoints/0123 cannot be read"), "{said}");
}
