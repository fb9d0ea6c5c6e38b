//! Open vSwitch inside a world: `ovs-vswitchd` itself switches where the kernel
//! cannot.

use crate::support::world::World;

/// Starts it with a bridge ovs0, on which the world has each of the addresses, in
/// the VLAN of that number, by a port hostVLAN.
pub fn start(world: &World, places: &[(u16, &str)]) {
    let ports: String = places
        .iter()
        .map(|(vlan, _)| {
            format!(
                " -- add-port ovs0 host{vlan} tag={vlan} \
                  -- set Interface host{vlan} type=internal"
            )
        })
        .collect();
    let addresses: String = places
        .iter()
        .map(|(vlan, address)| {
            format!("\nip link set host{vlan} up && ip addr add {address} dev host{vlan} || exit 1")
        })
        .collect();
    world
        .sh(&format!(
            "mkdir -p /run/openvswitch /etc/openvswitch /var/log/openvswitch
             ovsdb-tool create /etc/openvswitch/conf.db /usr/share/openvswitch/vswitch.ovsschema
             ovsdb-server --remote=punix:/run/openvswitch/db.sock --pidfile --detach --log-file \
                 /etc/openvswitch/conf.db >/dev/null 2>&1 || exit 1
             ovs-vsctl --no-wait init
             ovs-vswitchd --pidfile --detach --log-file >/dev/null 2>&1 || exit 1
             ovs-vsctl --timeout=30 add-br ovs0 -- set Bridge ovs0 datapath_type=netdev{ports}\
             {addresses}"
        ))
        .ok();
}

/// Has its database be somebody else's, as with `--ovs-user`: root itself reaches it by a
/// capability only.
pub fn give_away(world: &World) {
    world
        .sh("chown -R daemon: /run/openvswitch && chmod -R go= /run/openvswitch")
        .ok();
}

/// The tags of the containers' ports on ovs0, in order.
pub fn tags(world: &World) -> Vec<String> {
    let text = world
        .sh("for port in $(ovs-vsctl list-ports ovs0); do
                 case $port in pw*) ovs-vsctl get Port $port tag;; esac
             done")
        .ok();
    let mut tags: Vec<String> = text.lines().map(str::to_owned).collect();
    tags.sort();
    tags
}

/// Waits until something answers at an address. `ovs-vswitchd` sends packets where it
/// sent others a moment ago, to a port that is gone too, until it has looked again.
#[track_caller]
pub fn assert_answers(world: &World, address: &str) {
    world.sh(&format!("ping -c 1 -w 10 {address}")).ok();
}

/// Ends it, so that what it made is gone as well.
pub fn stop(world: &World) {
    world
        .sh("ovs-vsctl --timeout=30 del-br ovs0
             kill $(cat /run/openvswitch/ovs-vswitchd.pid /run/openvswitch/ovsdb-server.pid)
             for i in $(seq 100); do ip link show ovs-netdev >/dev/null 2>&1 || break; sleep 0.05; done
             rm -rf /run/openvswitch /etc/openvswitch")
        .ok();
}
