//! What Docker's plugin keeps: which pool is which network's, what was given back
//! before it was killed, and containers that it must not take for ended.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use pipework::frontend::docker_plugin::{driver::Driver, sweep};
use serde_json::{Value, json};

use crate::docker_plugin::{Known, LIFE, Plugin, asked, body_of, names, prepare, refused};
use crate::support::lab::{ip, lab};

const CREATE: &str = "NetworkDriver.CreateNetwork";

/// A part of a container's life, as dockerd makes its calls.
pub fn live(paths: &[&str], known: &mut Known) {
    for path in paths {
        let answer = asked(path, &body_of(path, known));
        known.learn(path, &answer);
    }
}

fn pool_of(subnet: &str) -> Value {
    let asks = json!({ "AddressSpace": "pipework", "Pool": subnet, "SubPool": "" });
    asked("IpamDriver.RequestPool", &asks)["PoolID"].clone()
}

/// The address that is given for an address that is asked for, or none.
fn given(pool: &Value, address: &str) -> String {
    let asks = json!({ "PoolID": pool, "Address": address, "Options": {} });
    let answer = asked("IpamDriver.RequestAddress", &asks);
    answer["Address"].as_str().unwrap().to_owned()
}

fn gateway(pool: &Value, address: &str) {
    let kind = json!({ "RequestAddressType": "com.docker.network.gateway" });
    let asks = json!({ "PoolID": pool, "Address": address, "Options": kind });
    asked("IpamDriver.RequestAddress", &asks);
}

fn give_back(pool: &Value, address: &str) {
    let bare = address.split('/').next().unwrap();
    let asks = json!({ "PoolID": pool, "Address": bare });
    asked("IpamDriver.ReleaseAddress", &asks);
}

fn network(id: &str, bridge: &str, aux: &Value) {
    network_of("10.0.0.0/24", id, bridge, aux);
}

fn network_of(subnet: &str, id: &str, bridge: &str, aux: &Value) {
    asked(CREATE, &new_network(subnet, id, bridge, aux));
}

/// What dockerd says of a network that is to be made.
fn new_network(subnet: &str, id: &str, bridge: &str, aux: &Value) -> Value {
    let (_, length) = subnet.split_once('/').unwrap();
    json!({
        "NetworkID": id,
        "Options": { "com.docker.network.generic": { "bridge": bridge } },
        "IPv4Data": [{
            "AddressSpace": "pipework", "Pool": subnet, "Gateway": format!("10.0.0.1/{length}"),
            "AuxAddresses": aux
        }],
    })
}

fn endpoint(id: &str, network: &str, address: &str) {
    let asks = json!({
        "NetworkID": network, "EndpointID": id, "Options": null,
        "Interface": { "Address": address, "AddressIPv6": "", "MacAddress": "" }
    });
    asked("NetworkDriver.CreateEndpoint", &asks);
}

/// Which network each pool is known to be of.
fn owners() -> BTreeMap<String, Value> {
    let folder = "/var/lib/pipework/docker/pools";
    let read = |name: String| {
        let text = fs::read_to_string(format!("{folder}/{name}")).unwrap();
        let pool: Value = serde_json::from_str(&text).unwrap();
        (
            pool["id"].as_str().unwrap().to_owned(),
            pool["network"].clone(),
        )
    };
    names(folder).into_iter().map(read).collect()
}

fn holder(pool: &Value, address: &str) -> String {
    let pool = pool.as_str().unwrap();
    fs::read_to_string(format!("/var/lib/pipework/pools/docker@{pool}/{address}"))
        .unwrap_or_default()
}

#[test]
fn two_networks_of_one_subnet_come_to_have_a_pool_each() {
    lab!(|lab| {
        let _container = prepare(lab);
        ip("link add br1 type bridge");
        let _plugin = Plugin::start();
        // As two commands at once have it: no network is told of by then.
        let (one, two) = (pool_of("10.0.0.0/24"), pool_of("10.0.0.0/24"));
        assert_ne!(one, two);
        for pool in [&one, &two] {
            gateway(pool, "10.0.0.1");
        }
        given(&two, "10.0.0.9");
        network("n1", "br0", &json!({}));
        network("n2", "br1", &json!({ "printer": "10.0.0.9/24" }));
        assert!(owners().values().all(Value::is_null), "{:?}", owners());
        assert!(holder(&two, "10.0.0.9").contains("lasting"));
        assert_eq!(holder(&one, "10.0.0.9"), "");
        let first = given(&one, "");
        endpoint("e1", "n1", &first);
        assert_eq!(owners()[one.as_str().unwrap()], "n1");
        // The only one that is left.
        endpoint("e2", "n2", &given(&two, ""));
        assert_eq!(owners()[two.as_str().unwrap()], "n2");
        // What one gives the other may give too, and never twice itself.
        let taken = json!({ "PoolID": one, "Address": first.split('/').next(), "Options": {} });
        refused("IpamDriver.RequestAddress", &taken);
    });
}

#[test]
fn a_network_whose_pool_cannot_be_written_to_is_refused_and_not_kept() {
    lab!(|lab| {
        let _container = prepare(lab);
        let _plugin = Plugin::start();
        let pool = pool_of("10.0.0.0/24");
        let folder = format!("/var/lib/pipework/pools/docker@{}", pool.as_str().unwrap());
        gateway(&pool, "10.0.0.1");
        fs::remove_dir_all(&folder).unwrap();
        fs::write(&folder, "").unwrap();
        let aux = json!({ "printer": "10.0.0.9" });
        refused(CREATE, &new_network("10.0.0.0/24", "n1", "br0", &aux));
        assert_eq!(names("/var/lib/pipework/docker/networks"), [""; 0]);
        fs::remove_file(&folder).unwrap();
        network("n1", "br0", &aux);
        assert_eq!(names("/var/lib/pipework/docker/networks").len(), 1);
    });
}

#[test]
fn a_pool_that_is_asked_for_again_after_a_kill_is_the_same() {
    lab!(|lab| {
        let _container = prepare(lab);
        let plugin = Plugin::start();
        let one = pool_of("10.0.0.0/24");
        drop(plugin);
        let plugin = Plugin::start();
        assert_eq!(pool_of("10.0.0.0/24"), one);
        // Another is asked for, whoever was killed.
        assert_ne!(pool_of("10.0.1.0/24"), one);
        gateway(&one, "10.0.0.1");
        drop(plugin);
        let _plugin = Plugin::start();
        // dockerd has had the first one.
        assert_ne!(pool_of("10.0.0.0/24"), one);
    });
}

/// The pools that addresses are held in, in order.
fn held_in() -> Vec<String> {
    let mut pools = names("/var/lib/pipework/pools");
    pools.sort();
    pools
}

/// Makes a network whose only pool has an address of a container.
fn network_with_pool(network: &str, bridge: &str, subnet: &str) -> Value {
    let pool = pool_of(subnet);
    network_of(subnet, network, bridge, &json!({}));
    assert_eq!(owners()[pool.as_str().unwrap()], network);
    given(&pool, "");
    pool
}

#[test]
fn what_a_plugin_killed_in_the_end_of_a_pool_left_ends_with_the_next_start() {
    lab!(|lab| {
        let _container = prepare(lab);
        let plugin = Plugin::start();
        let ended = network_with_pool("n1", "br0", "10.0.0.0/24");
        let kept = network_with_pool("n2", "br0", "10.0.1.0/24");
        drop(plugin);
        // A pool is forgotten before its addresses are removed.
        let folder = "/var/lib/pipework/docker/pools";
        for file in names(folder) {
            let path = format!("{folder}/{file}");
            if fs::read_to_string(&path).unwrap().contains("10.0.0.0/24") {
                fs::remove_file(path).unwrap();
            }
        }
        // Addresses of others, as those of a named network.
        fs::create_dir("/var/lib/pipework/pools/lan").unwrap();
        let _plugin = Plugin::start();
        let of_kept = format!("docker@{}", kept.as_str().unwrap());
        assert_eq!(held_in(), [of_kept, "lan".to_owned()]);
        // dockerd, which was not answered.
        asked("IpamDriver.ReleasePool", &json!({ "PoolID": ended }));
        asked("IpamDriver.ReleasePool", &json!({ "PoolID": kept }));
        assert_eq!(held_in(), ["lan"]);
    });
}

#[test]
fn a_pool_that_outlived_its_network_ends_with_the_next_start() {
    lab!(|lab| {
        let _container = prepare(lab);
        let plugin = Plugin::start();
        let ended = network_with_pool("n1", "br0", "10.0.0.0/24");
        let kept = network_with_pool("n2", "br0", "10.0.1.0/24");
        // Nobody says what network it is of.
        let unused = pool_of("10.0.2.0/24");
        given(&unused, "");
        asked("NetworkDriver.DeleteNetwork", &json!({ "NetworkID": "n1" }));
        drop(plugin);
        let _plugin = Plugin::start();
        let known: Vec<String> = owners().into_keys().collect();
        let mut ours = [kept, unused].map(|pool| pool.as_str().unwrap().to_owned());
        ours.sort();
        assert_eq!(known, ours);
        assert_eq!(held_in(), ours.map(|pool| format!("docker@{pool}")));
        asked("IpamDriver.ReleasePool", &json!({ "PoolID": ended }));
    });
}

#[test]
fn an_address_that_was_given_back_before_a_kill_is_given_back_once() {
    lab!(|lab| {
        let _container = prepare(lab);
        let plugin = Plugin::start();
        let pool = pool_of("10.0.0.0/29");
        gateway(&pool, "10.0.0.1");
        let first = given(&pool, "");
        give_back(&pool, &first);
        // Whoever lives has answered, and a restart finds its address again.
        assert_eq!(given(&pool, ""), first);
        give_back(&pool, &first);
        drop(plugin);
        let _plugin = Plugin::start();
        let others: Vec<String> = (0..4).map(|_| given(&pool, "")).collect();
        assert!(!others.contains(&first), "{first} of {others:?}");
        // dockerd, which was not answered.
        give_back(&pool, &first);
        // There is no other.
        assert_eq!(given(&pool, ""), first);
    });
}

/// The refusal of an address.
#[track_caller]
fn not_given(pool: &Value, address: &str) -> String {
    let asks = json!({ "PoolID": pool, "Address": address, "Options": {} });
    refused("IpamDriver.RequestAddress", &asks)
}

#[test]
fn what_a_killed_plugin_gave_is_nobody_elses_before_its_interface_is_made() {
    lab!(|lab| {
        let _container = prepare(lab);
        let plugin = Plugin::start();
        let pool = pool_of("10.0.0.0/29");
        gateway(&pool, "10.0.0.1");
        network_of("10.0.0.0/29", "n1", "br0", &json!({}));
        assert_eq!(owners()[pool.as_str().unwrap()], "n1");
        let made = given(&pool, "");
        endpoint("e1", "n1", &made);
        let awaited = given(&pool, "");
        let bare = |address: &str| address.split('/').next().unwrap().to_owned();
        let free = (2..7).map(|last| format!("10.0.0.{last}/29"));
        let free: Vec<String> = free.filter(|a| ![&made, &awaited].contains(&a)).collect();
        let asked_for = given(&pool, &bare(&free[0]));
        drop(plugin);
        let _plugin = Plugin::start();
        let mut others = [given(&pool, ""), given(&pool, "")];
        others.sort();
        assert_eq!(others, free[1..]);
        assert!(not_given(&pool, "").contains("nothing left"));
        for held in [&made, &awaited] {
            assert!(not_given(&pool, &bare(held)).contains("is held"));
        }
        // That was asked for by itself, perhaps of a plugin that did not answer.
        assert_eq!(given(&pool, &bare(&asked_for)), asked_for);
        assert!(not_given(&pool, &bare(&asked_for)).contains("is held"));
        endpoint("e2", "n1", &awaited);
        assert!(not_given(&pool, "").contains("nothing left"));
    });
}

#[test]
fn after_a_reboot_the_addresses_of_the_dead_are_given_to_others() {
    lab!(|lab| {
        let _container = prepare(lab);
        let plugin = Plugin::start();
        let pool = pool_of("10.0.0.0/29");
        gateway(&pool, "10.0.0.1");
        network_of("10.0.0.0/29", "n1", "br0", &json!({}));
        let all = || -> BTreeSet<String> { (2..7).map(|_| given(&pool, "")).collect() };
        let before = all();
        assert_eq!(before.len(), 5);
        assert!(not_given(&pool, "").contains("nothing left"));
        drop(plugin);
        // As if it were of another boot: /run is empty, and its id unknown.
        fs::remove_dir_all("/run/pipework").unwrap();
        let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
        let mut aged = 0;
        for folder in held_in() {
            for file in fs::read_dir(format!("/var/lib/pipework/pools/{folder}")).unwrap() {
                let path = file.unwrap().path();
                let Ok(text) = fs::read_to_string(&path) else {
                    continue;
                };
                aged += usize::from(text.contains(boot_id.trim()));
                fs::write(path, text.replace(boot_id.trim(), "another-boot")).unwrap();
            }
        }
        assert!(aged >= 5, "{aged} addresses are of a boot");
        let _plugin = Plugin::start();
        assert_eq!(all(), before);
        assert!(not_given(&pool, "10.0.0.1").contains("is held"));
    });
}

#[test]
fn a_container_that_changed_its_mac_is_taken_for_alive_and_a_dead_one_not() {
    lab!(|lab| {
        let container = prepare(lab);
        let plugin = Plugin::start();
        let mut known = Known::default();
        live(&LIFE[..5], &mut known);
        drop(plugin);
        ip("-n web link set eth0 address 02:00:00:00:00:77");
        let driver = Driver::open().unwrap();
        let mut seen = BTreeMap::new();
        for _ in 0..4 {
            seen = sweep::look(&driver, &seen);
        }
        assert!(seen.is_empty(), "{seen:?}");
        assert_eq!(names("/var/lib/pipework/docker/endpoints").len(), 1);
        assert!(ip("-n web link").contains("eth0"));
        // As dockerd leaves it that was killed: no name leads to the namespace.
        ip("netns del web");
        drop(container);
        for look in 1..4 {
            assert_eq!(
                names("/var/lib/pipework/docker/endpoints").len(),
                1,
                "{look}"
            );
            seen = sweep::look(&driver, &seen);
        }
        assert_eq!(names("/var/lib/pipework/docker/endpoints"), [""; 0]);
    });
}
