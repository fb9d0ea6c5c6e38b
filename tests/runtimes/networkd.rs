//! systemd-networkd beside us: it leaves alone what is ours, by the file that is
//! installed for it, even where somebody's own file matches every pair.

use crate::lan::{REQUEST, assert_nothing_left, eventually, host_links};
use crate::support::world::World;

const OURS: &str = "/usr/lib/systemd/network/00-pipework.network";
const DAEMON: &str = "/usr/lib/systemd/systemd-networkd";

pub fn systemd_networkd_leaves_the_hosts_ends_alone(world: &World) {
    let ours = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/packaging/networkd/00-pipework.network"
    );
    world.write(OURS, &std::fs::read_to_string(ours).unwrap());
    world.write(
        "/etc/systemd/network/10-all.network",
        "[Match]\nKind=veth\n[Network]\nAddress=192.0.2.7/32\n",
    );
    let bundle = world.bundle("web", &REQUEST, &["/bin/look", "stay"]);
    world
        .sh(&format!(
            "runc create --bundle {bundle} web >/dev/null 2>&1"
        ))
        .ok();
    let port = host_links(world).remove(0);
    world
        .sh("ip link add other type veth peer name others-end && ip link set other up")
        .ok();
    // Without udev nobody says that a device is ready, and none is waited for
    // where /sys cannot be written to.
    world
        .sh("mount -o remount,bind,ro /sys
             for folder in links leases lldp; do mkdir -p /run/systemd/netif/$folder; done
             chown -R systemd-network /run/systemd/netif")
        .ok();
    let daemon = format!("exec {DAEMON} 2>/dev/null");
    let mut daemon = world.spawn(&["sh", "-c", &daemon]);
    let state = |link: &str| {
        let index = world.sh(&format!("cat /sys/class/net/{link}/ifindex")).ok();
        let file = format!("/run/systemd/netif/links/{}", index.trim());
        std::fs::read_to_string(world.path(&file)).unwrap_or_default()
    };
    let addresses = |link: &str| world.sh(&format!("ip -4 addr show {link}")).ok();
    // It is at work where it may be.
    assert!(eventually(|| addresses("other").contains("192.0.2.7/32")));
    assert!(
        eventually(|| state(&port).contains("ADMIN_STATE=unmanaged")),
        "{}",
        state(&port)
    );
    assert!(!addresses(&port).contains("inet "), "{}", addresses(&port));
    world.sh("pkill -x systemd-network").ok();
    daemon.wait().unwrap();
    world
        .sh("mount -o remount,bind,rw /sys; ip link del other && runc delete -f web")
        .ok();
    assert_nothing_left(world);
}
