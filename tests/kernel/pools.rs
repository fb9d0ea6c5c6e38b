//! Addresses of a pool: the same in the next life, given back at the end, and
//! never two containers'.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::kill::{MANY, attach_killed_at, strace_works, was_killed};
use crate::networks::{addresses, write};
use crate::support::lab::{Lab, PIPEWORK, ip, lab};
use crate::support::skip;

const POOL: &str = "/var/lib/pipework/pools/lan";
const ASKED: [&str; 1] = ["pipework.net=lan"];

fn furnish(lab: &Lab, range: &str) {
    lab.bridge("br0");
    write(
        "lan",
        &format!(
            "bridge = \"br0\"\n[[pool]]\nsubnet = \"10.0.0.0/24\"\nrange = \"{range}\"\n\
             gateway = \"10.0.0.1\"\n"
        ),
    );
}

/// What `pipework networks lan` says of who has what.
fn held() -> Vec<String> {
    let output = Command::new(PIPEWORK)
        .args(["networks", "lan"])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().filter(|line| line.ends_with("'s"));
    lines.map(str::to_owned).collect()
}

#[test]
fn a_container_is_given_an_address_of_each_family_and_the_same_one_again() {
    lab!(|lab| {
        furnish(lab, "10.0.0.100-10.0.0.199");
        let v6 = "[[pool]]\nsubnet = \"fd00::/64\"\n";
        let file = "/etc/pipework/networks.d/lan.toml";
        let text = fs::read_to_string(file).unwrap();
        fs::write(file, format!("{text}{v6}")).unwrap();
        let container = lab.container("web");
        lab.attach(&container, &ASKED).ok();
        let given = addresses(lab, &container, "eth1");
        assert_eq!(given.len(), 2, "{given:?}");
        assert!(
            given[0].starts_with("10.0.0.1") && given[0].ends_with("/24"),
            "{given:?}"
        );
        assert!(
            given[1].starts_with("fd00::") && given[1].ends_with("/64"),
            "{given:?}"
        );
        let route = lab.inside(&container, || ip("route show default"));
        assert!(route.contains("via 10.0.0.1"), "{route}");
        // To be told of the start twice changes nothing.
        lab.attach(&container, &ASKED).ok();
        assert_eq!(addresses(lab, &container, "eth1"), given);
        assert_eq!(held().len(), 2, "{:?}", held());
        drop(container);
        lab.poststop("web").ok();
        assert_eq!(held(), Vec::<String>::new());
        let again = lab.container("web");
        lab.attach(&again, &ASKED).ok();
        assert_eq!(addresses(lab, &again, "eth1"), given);
    });
}

#[test]
fn an_empty_pool_says_who_has_it_and_dead_containers_make_room() {
    lab!(|lab| {
        furnish(lab, "10.0.0.100-10.0.0.101");
        let first = lab.container("first");
        let second = lab.container("second");
        lab.attach(&first, &ASKED).ok();
        lab.attach(&second, &ASKED).ok();
        let third = lab.container("third");
        let text = lab.attach(&third, &ASKED).refused(22);
        assert!(
            text.contains("nothing left of 10.0.0.100-10.0.0.101"),
            "{text}"
        );
        assert!(
            text.contains("first/eth1") && text.contains("second/eth1"),
            "{text}"
        );
        // What is optional is left out instead.
        let optional = ["pipework.net=lan", "pipework.optional=true"];
        lab.attach(&lab.container("fourth"), &optional).ok();
        // One dies, and nobody says so.
        drop(first);
        lab.attach(&third, &ASKED).ok();
        assert_eq!(held().len(), 2, "{:?}", held());
    });
}

#[test]
fn a_written_address_of_another_container_is_refused_and_named() {
    lab!(|lab| {
        furnish(lab, "10.0.0.100-10.0.0.199");
        let web = lab.container("web");
        lab.attach(&web, &ASKED).ok();
        let given = addresses(lab, &web, "eth1").remove(0);
        let asked = [ASKED[0], &format!("pipework.ip={given}")];
        let db = lab.container("db");
        let text = lab.attach(&db, &asked).refused(21);
        assert!(text.contains("is held by web/eth1"), "{text}");
        // It is held the other way round too.
        let asked = [ASKED[0], "pipework.ip=10.0.0.7/24"];
        lab.attach(&db, &asked).ok();
        let text = lab.attach(&lab.container("dc"), &asked).refused(21);
        assert!(text.contains("10.0.0.7 is held by db/eth1"), "{text}");
        drop(db);
        lab.attach(&lab.container("dd"), &asked).ok();
    });
}

#[test]
fn an_optional_interface_whose_mac_is_another_ones_gives_its_address_back() {
    lab!(|lab| {
        furnish(lab, "10.0.0.100-10.0.0.199");
        let named = [ASKED[0], "pipework.name=web"];
        let first = lab.container("first");
        lab.attach(&first, &named).ok();
        let before = held();
        let optional = [named[0], named[1], "pipework.optional=true"];
        let second = lab.container("second");
        let text = lab.attach(&second, &optional).ok().stderr();
        assert!(text.contains("is live on the same uplink"), "{text}");
        assert_eq!(before, held());
    });
}

#[test]
fn two_networks_on_one_uplink_never_give_or_take_the_same_address() {
    lab!(|lab| {
        furnish(lab, "10.0.0.100-10.0.0.101");
        write("other", "bridge = \"br0\"\n");
        let written = |network: &str, address: &str| {
            let network = format!("pipework.net={network}");
            [network, format!("pipework.ip={address}/24")]
        };
        let attach = |id: &str, asked: &[String]| {
            let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
            let container = lab.container(id);
            (lab.attach(&container, &asked), container)
        };
        let (said, first) = attach("first", &written("other", "10.0.0.100"));
        said.ok();
        let text = attach("second", &written("lan", "10.0.0.100"))
            .0
            .refused(21);
        assert!(text.contains("is held by first/eth1"), "{text}");
        // What is given is what is left.
        let third = lab.container("third");
        lab.attach(&third, &ASKED).ok();
        assert_eq!(addresses(lab, &third, "eth1"), ["10.0.0.101/24"]);
        let text = attach("fourth", &written("other", "10.0.0.101"))
            .0
            .refused(21);
        assert!(text.contains("is held by third/eth1"), "{text}");
        lab.attach(&lab.container("fifth"), &ASKED).refused(22);
        // Who has died holds nothing, in whichever of them he was.
        drop(first);
        let (said, _second) = attach("second", &written("lan", "10.0.0.100"));
        said.ok();
    });
}

/// What `pipework networks` prints.
fn shown(words: &[&str]) -> String {
    let mut command = Command::new(PIPEWORK);
    let said = command.arg("networks").args(words).output().unwrap();
    assert!(said.status.success(), "{said:?}");
    String::from_utf8(said.stdout).unwrap()
}

/// Who has which address of a network or on its uplink, as programs read it.
fn held_json(network: &str) -> Vec<String> {
    let all: Value = serde_json::from_str(&shown(&[network, "--json"])).unwrap();
    let held = all[0]["held"].as_array().unwrap().iter();
    let text = |claim: &Value, key: &str| claim[key].as_str().unwrap().to_owned();
    let line = |claim: &Value| {
        let whose = ["address", "container", "interface"].map(|key| text(claim, key));
        format!("{} {}", whose.join(" "), claim["in_network"])
    };
    held.map(line).collect()
}

#[test]
fn who_has_an_address_on_a_networks_uplink_is_listed_with_it() {
    lab!(|lab| {
        furnish(lab, "10.0.0.100-10.0.0.199");
        write("other", "bridge = \"br0\"\ngw = \"10.0.0.1\"\n");
        let _machine = lab.nic("eth5");
        // Complete with what a container says itself alone.
        write("far", "parent = \"eth5\"\ngw = \"10.0.0.1\"\n");
        write("near", "parent = \"eth5\"\nmode = \"private\"\n");
        let attach = |id: &str, asked: &[&str]| {
            let container = lab.container(id);
            lab.attach(&container, asked).ok();
            container
        };
        let _web = attach("web", &["pipework.net=lan", "pipework.ip=10.0.0.5/24"]);
        let _db = attach("db", &["pipework.net=other", "pipework.ip=10.0.0.6/24"]);
        let _cam = attach("cam", &["pipework.net=near", "pipework.ip=10.0.0.7/24"]);
        let text = shown(&["lan"]);
        assert!(text.contains("10.0.0.5 is web/eth1's\n"), "{text}");
        let of_other = "10.0.0.6 is db/eth1's on the same uplink\n";
        assert!(
            text.contains(of_other) && !text.contains("10.0.0.7"),
            "{text}"
        );
        let both = ["10.0.0.5 web eth1 true", "10.0.0.6 db eth1 false"];
        assert_eq!(held_json("lan"), both);
        assert_eq!(held_json("far"), ["10.0.0.7 cam eth1 false"]);
        // And all of them at once, in order.
        let all: Value = serde_json::from_str(&shown(&["--json"])).unwrap();
        let names: Vec<&Value> = all.as_array().unwrap().iter().map(|n| &n["name"]).collect();
        assert_eq!(names, ["far", "lan", "near", "other"]);
        assert_eq!(all[1]["fields"]["bridge"], "br0");
        assert_eq!(all[1]["pools"][0]["gateway"], "10.0.0.1");
    });
}

#[test]
fn a_start_that_fails_gives_its_address_back() {
    lab!(|lab| {
        furnish(lab, "10.0.0.100-10.0.0.100");
        let file = "/etc/pipework/networks.d/lan.toml";
        let text = fs::read_to_string(file).unwrap();
        fs::write(
            file,
            text.replace(
                "[[pool]]",
                "route = \"192.0.2.0/24 via 198.51.100.1\"\n[[pool]]",
            ),
        )
        .unwrap();
        lab.attach(&lab.container("bad"), &ASKED)
            .0
            .status
            .success()
            .then(|| panic!("no such way"));
        assert_eq!(held(), Vec::<String>::new());
        fs::write(file, text).unwrap();
        lab.attach(&lab.container("good"), &ASKED).ok();
    });
}

#[test]
fn a_kill_in_any_call_costs_no_address() {
    if !strace_works() {
        skip!("strace cannot stop a program here");
    }
    lab!(|lab| {
        // There is one address: whoever keeps it keeps it from all others.
        furnish(lab, "10.0.0.100-10.0.0.100");
        let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
        let is_taken = || {
            let files = fs::read_dir(POOL).into_iter().flatten().flatten();
            let texts = files.filter_map(|file| fs::read_to_string(file.path()).ok());
            texts.into_iter().any(|text| text.contains(boot_id.trim()))
        };
        let (mut killed, mut left) = (0, 0);
        for call in (1..MANY).step_by(2) {
            let web = lab.container("web");
            if !was_killed(&attach_killed_at(lab, &web, &ASKED, call)) {
                break;
            }
            killed += 1;
            left += usize::from(is_taken());
            drop(web);
            let db = lab.container("db");
            lab.attach(&db, &ASKED).ok();
            assert_eq!(
                addresses(lab, &db, "eth1"),
                ["10.0.0.100/24"],
                "call {call}"
            );
            drop(db);
            lab.gc().ok();
            assert_eq!(held(), Vec::<String>::new(), "call {call}");
        }
        assert!(killed < MANY / 2, "it was killed each time");
        assert!(
            left >= 3,
            "only {left} of {killed} kills left the address taken"
        );
    });
}

#[test]
fn a_reboot_gives_back_what_containers_held_and_they_find_it_again() {
    lab!(|lab| {
        furnish(lab, "10.0.0.100-10.0.0.199");
        let web = lab.container("web");
        lab.attach(&web, &ASKED).ok();
        let given = addresses(lab, &web, "eth1");
        drop(web);
        // As if it were of another boot: /run is empty, and its id unknown.
        fs::remove_dir_all("/run/pipework").unwrap();
        let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
        for file in fs::read_dir(POOL).unwrap().flatten() {
            if let Ok(text) = fs::read_to_string(file.path()) {
                let text = text.replace(boot_id.trim(), "another-boot");
                fs::write(file.path(), text).unwrap();
            }
        }
        let web = lab.container("web");
        lab.attach(&web, &ASKED).ok();
        assert_eq!(addresses(lab, &web, "eth1"), given);
    });
}

#[test]
fn the_hosts_own_address_is_not_given() {
    lab!(|lab| {
        furnish(lab, "10.0.0.100-10.0.0.101");
        ip("addr add 10.0.0.100/24 dev br0");
        let web = lab.container("web");
        lab.attach(&web, &ASKED).ok();
        assert_eq!(addresses(lab, &web, "eth1"), ["10.0.0.101/24"]);
        lab.attach(&lab.container("db"), &ASKED).refused(22);
    });
}
