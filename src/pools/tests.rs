//! The store of a pool: who is given what, also after a kill, among several at
//! once, and when nothing is left.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use proptest::prelude::*;

use super::*;

/// A store of its own, gone with the test.
struct Lan {
    pools: Pools,
    pool: PoolName,
    range: PoolRange,
}

impl Drop for Lan {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.pools.root);
    }
}

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(20))
}

fn owner(name: &str) -> Owner {
    Owner {
        engine: "oci".to_owned(),
        name: name.to_owned(),
        ifname: "eth1".to_owned(),
    }
}

fn life(cookie: u64) -> Holder {
    Holder::Interface {
        boot_id: "now".to_owned(),
        cookie,
        ifname: "eth1".to_owned(),
    }
}

impl Lan {
    fn of(subnet: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let root = std::env::temp_dir().join(format!("pw-pools-{}-{n}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        Self {
            pools: Pools::at(&root),
            pool: PoolName::of_network(&"lan".parse().unwrap()),
            range: PoolRange::new(subnet, &[], None, &[]).unwrap(),
        }
    }

    /// What the interface of `name` asks for.
    fn ask<T>(&self, name: &str, cookie: u64, then: impl FnOnce(Ask<'_>) -> T) -> T {
        then(Ask {
            pool: &self.pool,
            ranges: &[&self.range],
            owner: &owner(name),
            holder: &life(cookie),
            avoid: &[],
        })
    }

    fn asked(&self, name: &str, cookie: u64, is_gone: IsGone<'_>) -> Result<IpAddr, PoolError> {
        let given = self.ask(name, cookie, |ask| self.pools.request(ask, is_gone, soon()));
        given.map(|(net, _)| net.addr())
    }

    /// What is chosen where the pool cannot be listed.
    fn chosen_blind(&self, name: &str, cookie: u64) -> Result<IpAddr, PoolError> {
        let pool = Locked::peek(&self.pools.root, &self.pool);
        let none = || Err(PoolError::TooMany(self.pools.root.clone()));
        self.ask(name, cookie, |ask| {
            choose::choose(&pool, none, ask, &|_| true).map(|(_, address)| address)
        })
    }

    fn given(&self, name: &str, cookie: u64) -> IpAddr {
        self.asked(name, cookie, &|_| false).unwrap()
    }

    fn claim(&self, name: &str, cookie: u64, address: IpAddr) -> Claim {
        Claim {
            pool: self.pool.clone(),
            address,
            owner: owner(name),
            holder: life(cookie),
        }
    }

    fn give_back(&self, name: &str, cookie: u64, address: IpAddr) {
        let claim = self.claim(name, cookie, address);
        self.pools.release(&claim, soon()).unwrap();
    }
}

#[test]
fn the_same_container_has_the_same_address_in_its_next_life() {
    let lan = Lan::of("10.0.0.0/24");
    let first = lan.given("web", 1);
    assert_eq!(lan.given("web", 1), first, "asked again");
    lan.give_back("web", 1, first);
    // Others come and go in between, as many as there is room for.
    for n in 0..200 {
        let name = format!("other{n}");
        let address = lan.given(&name, 100 + n);
        assert_ne!(address, first);
        lan.give_back(&name, 100 + n, address);
    }
    assert_eq!(lan.given("web", 2), first);
    // Its former life gives nothing back that its present one has.
    lan.give_back("web", 1, first);
    assert_eq!(lan.pools.held(&lan.pool).unwrap().len(), 1);
}

#[test]
fn a_pool_is_given_to_its_last_address_and_names_who_has_them() {
    let lan = Lan::of("10.0.0.0/29");
    let mut all: Vec<IpAddr> = (0..6).map(|n| lan.given(&format!("c{n}"), n)).collect();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 6);
    let error = lan.asked("late", 9, &|_| false).unwrap_err().to_string();
    assert!(
        error.contains("nothing left of 10.0.0.1-10.0.0.6"),
        "{error}"
    );
    assert!(error.contains("'s") && error.contains("c3/eth1"), "{error}");
    // Who is gone makes room.
    let late = lan.asked("late", 9, &|holder| *holder == life(3)).unwrap();
    assert!(all.contains(&late));
    // The address that was given back longest ago goes first.
    lan.give_back("late", 9, late);
    assert_eq!(lan.given("later", 10), late);
}

#[test]
fn a_written_address_is_refused_while_another_has_it() {
    let lan = Lan::of("10.0.0.0/24");
    let address = lan.given("web", 1);
    let claim = lan.claim("db", 2, address);
    let error = lan.pools.claim(&claim, &|_| false, soon()).unwrap_err();
    assert_eq!(error.to_string(), format!("{address} is held by web/eth1"));
    lan.give_back("web", 1, address);
    lan.pools.claim(&claim, &|_| false, soon()).unwrap();
    // And web, whose it was, is given another one.
    assert_ne!(lan.given("web", 3), address);
}

#[test]
fn what_is_held_over_reboots_stays_and_the_rest_is_swept() {
    let lan = Lan::of("10.0.0.0/24");
    let address = lan.given("web", 1);
    let lasting = Claim {
        holder: Holder::Lasting {
            id: "gateway".to_owned(),
        },
        ..lan.claim("lan", 0, "10.0.0.1".parse().unwrap())
    };
    lan.pools.claim(&lasting, &|_| false, soon()).unwrap();
    let is_gone = |holder: &Holder| !matches!(holder, Holder::Lasting { .. });
    let swept = lan.pools.sweep(&is_gone, soon());
    let swept: Vec<IpAddr> = swept.into_iter().map(|c| c.unwrap().address).collect();
    assert_eq!(swept, [address]);
    assert_eq!(lan.pools.held(&lan.pool).unwrap(), [lasting]);
}

#[test]
fn a_file_of_half_is_free_and_one_of_a_newer_release_is_not() {
    let lan = Lan::of("10.0.0.0/30");
    let address = lan.given("web", 1);
    let path = lan.pools.root.join("lan").join(address.to_string());
    fs::write(&path, b"{\"version\":1,\"ow").unwrap();
    let both = [lan.given("a", 2), lan.given("b", 3)];
    assert!(both.contains(&address), "{both:?}");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\"version\":1", "\"version\":2")).unwrap();
    let is_gone = |holder: &Holder| !matches!(holder, Holder::Lasting { .. });
    assert_ne!(lan.asked("c", 4, &is_gone).unwrap(), address);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("\"version\":2"), "{text}");
}

#[test]
fn a_folder_that_cannot_be_listed_is_an_error_and_not_empty() {
    let lan = Lan::of("10.0.0.0/24");
    assert!(lan.pools.held(&lan.pool).unwrap().is_empty());
    fs::create_dir_all(&lan.pools.root).unwrap();
    fs::write(lan.pools.root.join("lan"), "").unwrap();
    let unlisted = lan.pools.held(&lan.pool);
    assert!(
        matches!(unlisted, Err(PoolError::Io { .. })),
        "{unlisted:?}"
    );
    let (owner, holder) = (owner("web"), life(1));
    let given = lan.pools.preview(Ask {
        pool: &lan.pool,
        ranges: &[&lan.range],
        owner: &owner,
        holder: &holder,
        avoid: &[],
    });
    assert!(matches!(given, Err(PoolError::Io { .. })), "{given:?}");
}

#[test]
fn an_owner_has_its_address_again_although_there_are_too_many_to_look_at() {
    let lan = Lan::of("10.0.0.0/24");
    let address = lan.given("web", 1);
    assert_eq!(lan.chosen_blind("web", 2).unwrap(), address);
    let refused = lan.chosen_blind("db", 3);
    assert!(matches!(refused, Err(PoolError::TooMany(_))), "{refused:?}");
}

#[test]
fn a_subnet_of_ipv6_is_searched_as_fast_as_a_small_one() {
    let lan = Lan::of("fd00::/64");
    let all: std::collections::BTreeSet<IpAddr> =
        (0..50).map(|n| lan.given(&format!("c{n}"), n)).collect();
    assert_eq!(all.len(), 50);
    assert_eq!(lan.given("c7", 7), lan.given("c7", 7));
}

#[test]
fn who_waits_too_long_is_refused_and_takes_the_turn_from_nobody() {
    let lan = Lan::of("10.0.0.0/24");
    let enter = |time| Locked::enter(&lan.pools.root, &lan.pool, Deadline::after(time));
    let held = enter(Duration::from_secs(20)).unwrap();
    for _ in 0..2 {
        let refused = enter(Duration::from_millis(1)).unwrap_err();
        assert!(matches!(refused, PoolError::Locked { .. }), "{refused}");
    }
    std::thread::scope(|scope| {
        let next = scope.spawn(|| enter(Duration::from_secs(20)).map(drop));
        drop(held);
        next.join().unwrap().unwrap();
    });
}

#[test]
fn what_containers_say_themselves_leaves_nothing_once_it_is_given_back() {
    let lan = Lan::of("10.0.0.0/24");
    let claim = Claim {
        pool: PoolName::of_uplink(&"br0".parse().unwrap(), None),
        address: "10.0.0.5".parse().unwrap(),
        owner: owner("web"),
        holder: life(1),
    };
    let files = || {
        let files = fs::read_dir(lan.pools.root.join(claim.pool.as_str())).unwrap();
        let mut names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
        names.sort();
        names
    };
    lan.pools.claim(&claim, &|_| false, soon()).unwrap();
    assert_eq!(files(), ["10.0.0.5", "lock"]);
    lan.pools.release(&claim, soon()).unwrap();
    assert_eq!(files(), ["lock"]);
}

#[test]
fn those_who_ask_at_once_are_given_different_addresses() {
    let lan = Lan::of("10.0.0.0/24");
    let lan = &lan;
    let all: Vec<IpAddr> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|t| {
                scope.spawn(move || -> Vec<IpAddr> {
                    (0..10)
                        .map(|n| lan.given(&format!("{t}-{n}"), t * 10 + n))
                        .collect()
                })
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|t| t.join().unwrap())
            .collect()
    });
    let distinct: std::collections::BTreeSet<&IpAddr> = all.iter().collect();
    assert_eq!(distinct.len(), 80);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Whatever comes and goes, two who live never have the same address, and
    /// files that a kill has torn are never the reason.
    #[test]
    fn no_two_who_live_have_one_address(
        steps in proptest::collection::vec((0u64..12, 0u8..4), 1..60)
    ) {
        let lan = Lan::of("10.0.0.0/29");
        let mut living: BTreeMap<u64, IpAddr> = BTreeMap::new();
        for (who, what) in steps {
            let name = format!("c{who}");
            match (what, living.get(&who).copied()) {
                (0 | 1, None) => {
                    let gone: Vec<Holder> =
                        (0..12).filter(|n| !living.contains_key(n)).map(life).collect();
                    if let Ok(address) = lan.asked(&name, who, &|holder| gone.contains(holder)) {
                        prop_assert!(!living.values().any(|other| *other == address));
                        living.insert(who, address);
                    } else {
                        prop_assert_eq!(living.len(), 6);
                    }
                }
                (2, Some(address)) => {
                    lan.give_back(&name, who, address);
                    living.remove(&who);
                }
                // It ends, and nobody is told.
                (3, Some(_)) => drop(living.remove(&who)),
                // A kill left a file that was being written.
                (_, _) => {
                    let folder = lan.pools.root.join("lan");
                    if folder.exists() {
                        fs::write(folder.join("new"), b"{\"ver").unwrap();
                        let _ = std::os::unix::fs::symlink("x", folder.join("new-link"));
                    }
                }
            }
        }
    }
}
