//! What the cases share: the bridge, the request for eth1 on it, what a
//! container saw of it, and what must be gone afterwards.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::support::world::{Output, World};

/// The runtimes under podman, each of which every podman case drives.
pub const RUNTIMES: [&str; 2] = ["crun", "runc"];

/// The request that most cases make, as annotations of a bundle.
pub const REQUEST: [(&str, &str); 2] = [
    ("pipework.bridge", "br0"),
    ("pipework.ip", "10.0.0.5/24@10.0.0.1"),
];

/// The same request on podman's command line.
pub const ASK: &str =
    "--annotation pipework.bridge=br0 --annotation pipework.ip=10.0.0.5/24@10.0.0.1";

/// Makes br0 with 10.0.0.1/24 in the world.
pub fn make_bridge(world: &World) {
    world
        .sh("ip link add br0 type bridge && ip addr add 10.0.0.1/24 dev br0 && ip link set br0 up")
        .ok();
}

/// Makes the image `localhost/bb:1` of busybox and look.
pub fn import_image(world: &World) {
    world
        .sh("tar -C /srv/image -c . | podman import -q - localhost/bb:1")
        .ok();
}

/// Runs podman on `runtime` with a line of arguments.
pub fn podman(world: &World, runtime: &str, line: &str) -> Output {
    world.sh(&format!("podman --runtime {runtime} {line}"))
}

/// The default route that `REQUEST` asks for, in the main table.
pub const DEFAULT: &str = "route default via 10.0.0.1 dev eth1 metric 0";

/// Checks that a container saw eth1 with the address that `REQUEST` asks for, and
/// its way out by it, and returns its MAC address.
#[track_caller]
pub fn assert_complete(seen: &str) -> String {
    assert_complete_with(seen, "10.0.0.5")
}

/// The same for another address.
#[track_caller]
pub fn assert_complete_with(seen: &str, address: &str) -> String {
    let link = seen
        .lines()
        .find(|line| line.starts_with("link eth1 up running "));
    let link = link.unwrap_or_else(|| panic!("eth1 is not up and running:\n{seen}"));
    let way = format!("way {address}");
    let address = format!("addr eth1 {address}/24 brd 10.0.0.255");
    let ours = [address.as_str(), way.as_str()];
    for line in ours {
        assert!(
            seen.lines().any(|seen| seen == line),
            "{line} is missing:\n{seen}"
        );
    }
    link.split(' ').nth(4).unwrap().to_owned()
}

/// What each start of a container saw, once it has looked `count` times.
#[track_caller]
pub fn looks(world: &World, container: &str, count: usize) -> Vec<String> {
    let mut looks = Vec::new();
    let enough = eventually(|| {
        let log = world.sh(&format!("podman logs {container} 2>&1")).ok();
        looks = log.split_terminator("looked\n").map(String::from).collect();
        log.matches("looked\n").count() >= count
    });
    assert!(
        enough,
        "{container} has not looked {count} times: {looks:#?}"
    );
    looks
}

/// The names of the host ends that are there now.
pub fn host_links(world: &World) -> Vec<String> {
    let links = world.sh("ip -o link").ok();
    let names = links
        .lines()
        .filter_map(|line| line.split(": ").nth(1)?.split('@').next());
    names
        .filter(|name| name.starts_with("pw"))
        .map(String::from)
        .collect()
}

/// The attachment records that are there now.
pub fn records(world: &World) -> Vec<String> {
    let list = world
        .sh("find /run/pipework/attachments -type f 2>/dev/null")
        .stdout;
    list.lines().map(String::from).collect()
}

/// Waits for the last poststop and for the kernel, which takes namespaces down
/// behind our back, and then accepts neither a link nor a record.
#[track_caller]
pub fn assert_nothing_left(world: &World) {
    let mut left = (Vec::new(), Vec::new());
    let clean = eventually(|| {
        left = (host_links(world), records(world));
        left.0.is_empty() && left.1.is_empty()
    });
    assert!(clean, "links and records are left: {left:?}");
}

/// Looks through all records at once, as an administrator would.
#[track_caller]
pub fn sweep(world: &World) {
    world.run(&["/usr/bin/pipework", "gc"]).ok();
}

/// Runs one more container, whose hook looks through some of the records.
#[track_caller]
pub fn run_another(world: &World) {
    let bundle = world.bundle("another", &REQUEST, &["/bin/look"]);
    assert_complete(
        &world
            .run(&["runc", "run", "--bundle", &bundle, "another"])
            .ok(),
    );
}

/// What a machine may take to boot, or a daemon to start all that it was told to,
/// beside another that does so.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whether `condition` comes true within [`PATIENCE`].
pub fn eventually(mut condition: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while !condition() {
        if start.elapsed() > PATIENCE {
            return false;
        }
        sleep(Duration::from_millis(50));
    }
    true
}
