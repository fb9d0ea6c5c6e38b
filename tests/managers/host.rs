//! The host of a case: its cards, the machine that they lead to, and its uplink.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::case::Case;
use crate::state::{State, look};
use crate::support::world::World;

/// How long a manager may take, also on an emulated processor.
const PATIENCE: Duration = Duration::from_secs(60);

/// The machine behind the cables: both lead into its bridge.
const OTHER_MACHINE: &str = "
    ip netns add far
    ip -n far link add lan type bridge
    ip -n far addr add 10.0.0.2/24 dev lan
    ip -n far addr add fd00::2/64 dev lan nodad
    ip -n far link set lan up";
/// It has one address to give.
const SERVER: &str = "nsenter --net=/run/netns/far dnsmasq --conf-file=/dev/null --user=root --port=0 \
     --interface=lan --bind-interfaces --no-ping --dhcp-authoritative \
     --dhcp-leasefile=/run/far.leases --pid-file=/run/far.pid --dhcp-range=10.0.0.100,10.0.0.100,1h \
     --dhcp-option=option:router,10.0.0.2";
/// Cards as a machine finds them when it starts.
const CARDS: &str = "
    for card in CARDS; do
        ip link add eth$card address 02:00:00:00:00:5$card type veth peer name wire$card netns far
        ip -n far link set wire$card master lan up
    done";
/// A bridge that `ovs-vswitchd` itself switches.
const OVS: &str = "
    mkdir -p /run/openvswitch /etc/openvswitch /var/log/openvswitch
    ovsdb-tool create /etc/openvswitch/conf.db /usr/share/openvswitch/vswitch.ovsschema
    ovsdb-server --remote=punix:/run/openvswitch/db.sock --pidfile --detach --log-file \
        /etc/openvswitch/conf.db >/dev/null 2>&1
    ovs-vsctl --no-wait init
    ovs-vswitchd --pidfile --detach --log-file >/dev/null 2>&1
    ovs-vsctl --timeout=30 add-br br0 -- set Bridge br0 datapath_type=netdev";

/// Whether `condition` comes true in time.
pub fn eventually(mut condition: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        if Instant::now() > end {
            return false;
        }
        sleep(Duration::from_millis(100));
    }
    true
}

/// Where it is installed, and silent, a bridge may be its.
const NO_OVS: &str =
    "rm -rf /etc/openvswitch /etc/alternatives/ovs-vswitchd /usr/sbin/ovs-vswitchd";

/// A host that runs.
pub struct Host<'w> {
    /// Where it is.
    pub world: &'w World,
    case: &'w Case,
}

impl<'w> Host<'w> {
    /// Starts the host of a case, with all that it had.
    pub fn boot(world: &'w World, case: &'w Case) -> Self {
        let host = Self { world, case };
        host.run(OTHER_MACHINE);
        host.cards();
        host.run(if case.ovs { OVS } else { NO_OVS });
        if case.leased {
            host.run(SERVER);
        }
        host.run(case.had);
        host
    }

    /// Runs lines of shell, each of which must have success.
    #[track_caller]
    pub fn run(&self, lines: &str) -> String {
        self.world.sh(&format!("set -e\n{lines}")).ok()
    }

    fn cards(&self) {
        let cards = if self.case.add.contains("eth1") {
            "0 1"
        } else {
            "0"
        };
        self.run(&CARDS.replace("CARDS", cards));
    }

    /// Makes the uplink; what there is then, and what is printed for a manager.
    pub fn add(&self, kind: &str) -> (State, String) {
        let add = self.case.add;
        self.run(&format!("pipework uplink add br0 {add} --confirm-within 0"));
        let printed = self.run(&format!("pipework uplink snippet br0 {kind}"));
        (look(self.world, self.case), printed)
    }

    /// What is printed for a manager before, where nothing can be made.
    pub fn print(&self, kind: &str) -> String {
        let add = self.case.add;
        self.run(&format!(
            "pipework uplink add br0 {add} --print-config {kind}"
        ))
    }

    /// What a boot leaves of all that: cards, and the database of Open vSwitch.
    pub fn start_anew(&self) {
        self.world.sh("pipework uplink del br0");
        if !self.case.ovs {
            self.world.sh("ip link del br0");
        }
        self.world
            .sh("for link in eth0.100 bond-br0 eth0 eth1; do ip link del $link; done");
        self.cards();
    }

    /// Waits until there is again what there was, and the other machine answers.
    #[track_caller]
    pub fn assert_comes_to(&self, made: &State, log: impl FnOnce() -> String) {
        let mut now = State::new();
        let is_so = eventually(|| {
            now = look(self.world, self.case);
            now == *made
        });
        assert!(
            is_so,
            "lacks {:#?}\nhas besides {:#?}\n{}",
            made.difference(&now).collect::<Vec<_>>(),
            now.difference(made).collect::<Vec<_>>(),
            log()
        );
        if made.iter().any(|line| line.starts_with("br0 has 10.0.0.")) {
            self.run("ping -q -c 1 -w 10 10.0.0.2");
        }
    }
}
