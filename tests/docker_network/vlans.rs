//! Two services of a Compose file in two VLANs of an Open vSwitch bridge, whose
//! switch works where the kernel has none.

use crate::plugin::Lan;

const FILE: &str = r#"services:
  web:
    image: bb
    command: /bin/look stay
    stop_grace_period: 1s
    networks: {dmz: {ipv4_address: 10.7.0.20}}
  db:
    image: bb
    command: /bin/look stay
    stop_grace_period: 1s
    networks: {inner: {ipv4_address: 10.8.0.20}}
networks:
  dmz:
    driver: pipework
    driver_opts: {ovs: ovs0, vlan: "100"}
    ipam: {config: [{subnet: 10.7.0.0/24, gateway: 10.7.0.1}]}
  inner:
    driver: pipework
    driver_opts: {ovs: ovs0, vlan: "200"}
    ipam: {config: [{subnet: 10.8.0.0/24, gateway: 10.8.0.1}]}
"#;

/// Open vSwitch with a bridge ovs0, on which the world is in both VLANs.
fn start(lan: &Lan) {
    lan.sh(
        "mkdir -p /run/openvswitch /etc/openvswitch /var/log/openvswitch
         ovsdb-tool create /etc/openvswitch/conf.db /usr/share/openvswitch/vswitch.ovsschema
         ovsdb-server --remote=punix:/run/openvswitch/db.sock --pidfile --detach --log-file \
             /etc/openvswitch/conf.db >/dev/null 2>&1 || exit 1
         ovs-vsctl --no-wait init
         ovs-vswitchd --pidfile --detach --log-file >/dev/null 2>&1 || exit 1
         ovs-vsctl --timeout=30 add-br ovs0 -- set Bridge ovs0 datapath_type=netdev \
             -- add-port ovs0 host100 tag=100 -- set Interface host100 type=internal \
             -- add-port ovs0 host200 tag=200 -- set Interface host200 type=internal
         ip link set host100 up && ip addr add 10.7.0.1/24 dev host100
         ip link set host200 up && ip addr add 10.8.0.1/24 dev host200",
    )
    .ok();
}

/// The tags of the containers' ports.
fn tags(lan: &Lan) -> Vec<String> {
    let text = lan
        .sh("for port in $(ovs-vsctl list-ports ovs0); do
                 case $port in pw*) ovs-vsctl get Port $port tag;; esac
             done")
        .ok();
    let mut tags: Vec<String> = text.lines().map(str::to_owned).collect();
    tags.sort();
    tags
}

pub fn two_services_are_in_two_vlans_and_leave_no_row(lan: &Lan) {
    start(lan);
    lan.write("/srv/lan/compose.yaml", FILE);
    let compose = |line: &str| {
        lan.sh(&format!("cd /srv/lan && docker compose {line}"))
            .ok()
    };
    compose("up -d");
    assert_eq!(tags(lan), ["100", "200"]);
    lan.sh("ping -c 1 -W 5 10.7.0.20").ok();
    lan.sh("ping -c 1 -W 5 10.8.0.20").ok();
    compose("restart -t 1");
    assert_eq!(tags(lan), ["100", "200"]);
    lan.sh("ping -c 1 -W 5 10.7.0.20").ok();
    compose("down -t 1");
    assert_eq!(tags(lan), [""; 0]);
    lan.sh("ovs-vsctl --timeout=30 del-br ovs0
         kill $(cat /run/openvswitch/ovs-vswitchd.pid /run/openvswitch/ovsdb-server.pid)
         rm -rf /run/openvswitch /etc/openvswitch")
        .ok();
}
