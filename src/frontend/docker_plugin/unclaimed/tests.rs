//! Which pools end, and which may be about to be a network's.

use super::super::dropped::tests::Root;
use super::*;
use crate::docker::asker::Asker;
use crate::docker::state::Subnet;

const SUBNET: &str = "10.66.0.0/24";

fn dead() -> Option<Asker> {
    Some(Asker {
        boot_id: "another".to_owned(),
        pid: 1,
        birth: 1,
    })
}

fn alive() -> Option<Asker> {
    asker::this(i32::try_from(std::process::id()).unwrap())
}

fn keep(driver: &Driver, asker: Option<Asker>) {
    let pool = PoolFile {
        // No pool of this host is called so.
        id: "unclaimed-of-a-test".to_owned(),
        subnet: SUBNET.parse().unwrap(),
        range: None,
        network: None,
        giver: String::new(),
        since: 0,
        asker,
        listed_by: None,
    };
    driver.state.write(&pool).unwrap();
}

fn look(driver: &Driver, engine: &str, subnets: &[&str]) -> usize {
    let listed = Networks {
        engine: engine.to_owned(),
        ids: Vec::new(),
        subnets: subnets.iter().map(|&text| text.to_owned()).collect(),
    };
    settle(driver, &all(&driver.state), &listed);
    driver.state.all::<PoolFile>().len()
}

#[test]
fn a_pool_whose_asker_died_ends_where_no_network_has_its_subnet() {
    let root = Root::new("left");
    let driver = root.keeping(&[]);
    keep(&driver, dead());
    // As it was asked for; and what is no subnet may be any.
    for subnet in ["10.66.0.0/24", "10.66.0.7/24", "?"] {
        assert_eq!(look(&driver, "one", &[subnet]), 1, "{subnet}");
    }
    assert_eq!(look(&driver, "one", &["10.66.0.0/16"]), 0);
}

#[test]
fn while_its_asker_lives_or_is_not_known_a_pool_stays() {
    let root = Root::new("living");
    let driver = root.keeping(&[]);
    for asker in [alive(), None] {
        keep(&driver, asker.clone());
        for _ in 0..3 {
            assert_eq!(look(&driver, "one", &[]), 1, "{asker:?}");
        }
    }
}

#[test]
fn a_dockerd_with_other_data_ends_no_pool() {
    let root = Root::new("strange");
    let driver = root.keeping(&[]);
    keep(&driver, dead());
    assert_eq!(look(&driver, "one", &[SUBNET]), 1);
    assert_eq!(look(&driver, "two", &[]), 1);
    assert_eq!(look(&driver, "two", &[SUBNET]), 1);
    assert_eq!(look(&driver, "two", &[]), 1);
    assert_eq!(look(&driver, "one", &[]), 0);
}

#[test]
fn a_pool_that_a_network_of_ours_may_have_stays() {
    let root = Root::new("ours");
    let driver = root.keeping(&["a"]);
    let network: Network = driver.state.read("a").unwrap().unwrap();
    let with_pool = Network {
        subnets: vec![Subnet {
            subnet: SUBNET.parse().unwrap(),
            gateway: None,
        }],
        has_pools: true,
        ..network
    };
    driver.state.write(&with_pool).unwrap();
    keep(&driver, dead());
    assert_eq!(look(&driver, "one", &[]), 1);
    driver.state.forget::<Network>("a").unwrap();
    assert_eq!(look(&driver, "one", &[]), 0);
}

#[test]
fn a_pool_that_was_given_anew_since_is_another() {
    let root = Root::new("anew");
    let driver = root.keeping(&[]);
    keep(&driver, dead());
    let before = all(&driver.state);
    keep(&driver, alive());
    let listed = Networks {
        engine: "one".to_owned(),
        ids: Vec::new(),
        subnets: Vec::new(),
    };
    settle(&driver, &before, &listed);
    assert_eq!(driver.state.all::<PoolFile>().len(), 1);
}
