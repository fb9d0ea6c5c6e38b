//! The programs that configure a host's network, run as a boot runs them.

use crate::host::{Host, eventually};
use crate::snippet::{files, once};
use crate::support::world::World;

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manager {
    /// systemd-networkd.
    Networkd,
    /// NetworkManager, by its command.
    Nmcli,
    /// ifupdown.
    Ifupdown,
    /// netplan, which writes files for systemd-networkd.
    Netplan,
}

/// Without udev nobody says that a device is ready, and none is waited for where
/// /sys cannot be written to.
pub const WITHOUT_UDEV: &str = "mount -o remount,bind,ro /sys";

const NETWORKD: &str = "
    mkdir -p /run/systemd/netif/links /run/systemd/netif/leases /run/systemd/netif/lldp
    chown -R systemd-network /run/systemd/netif
    /usr/lib/systemd/systemd-networkd >/run/networkd.log 2>&1 &";
pub const NETWORK_MANAGER: &str = "
    [ -S /run/dbus/system_bus_socket ] || { mkdir -p /run/dbus; dbus-daemon --system --fork; }
    NetworkManager --no-daemon >>/run/NetworkManager.log 2>&1 &
    until [ \"$(nmcli -g RUNNING general)\" = running ]; do sleep 0.05; done";
pub const END_NETWORK_MANAGER: &str = "
    pkill -x NetworkManager
    while pgrep -x NetworkManager; do sleep 0.05; done
    rm -r /run/NetworkManager";
/// systemd runs these units; there is none here, nor the program that looks for what
/// an earlier configuration has left.
const UNITS_OF_NETPLAN: &str = "
    for unit in /run/systemd/system/netplan-ovs-*.service; do
        [ ! -e \"$unit\" ] || sed -n '/only-ovs-cleanup/d; s/^ExecStart=//p' \"$unit\"
    done >/run/units.sh
    sh -ex /run/units.sh 2>&1";

impl Manager {
    /// The word of `uplink snippet` for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Networkd => "networkd",
            Self::Nmcli => "networkmanager",
            Self::Ifupdown => "ifupdown",
            Self::Netplan => "netplan",
        }
    }

    /// Gives it what was printed, and starts it.
    #[track_caller]
    pub fn configure(self, host: &Host, printed: &str) {
        if let Some(line) = once(printed) {
            host.run(line);
        }
        match self {
            Self::Networkd => {
                write(host.world, printed);
                host.run(WITHOUT_UDEV);
                host.run(NETWORKD);
            }
            Self::Nmcli => by_nmcli(host, printed),
            Self::Ifupdown => {
                write(host.world, printed);
                host.run("mkdir -p /run/network; ifup -a >/run/ifup.log 2>&1 || { cat /run/ifup.log; exit 1; }");
            }
            Self::Netplan => by_netplan(host, printed),
        }
    }

    /// Gives it what was printed where the kernel cannot make that: it understands
    /// each word.
    #[track_caller]
    pub fn read(self, host: &Host, printed: &str) {
        match self {
            Self::Networkd => {
                self.configure(host, printed);
                let has_read = || self.log(host.world).contains("eth0: Configuring with");
                assert!(eventually(has_read), "{}", self.log(host.world));
            }
            Self::Nmcli => {
                let (added, _) = printed.split_once("nmcli connection up").unwrap();
                host.run(WITHOUT_UDEV);
                host.run(NETWORK_MANAGER);
                host.run(added);
            }
            Self::Ifupdown => {
                write(host.world, printed);
                host.run("mkdir -p /run/network; ifup --no-act -a");
            }
            Self::Netplan => generate(host, printed),
        }
    }

    /// What it has said.
    pub fn log(self, world: &World) -> String {
        let file = match self {
            Self::Networkd | Self::Netplan => "networkd",
            Self::Nmcli => "NetworkManager",
            Self::Ifupdown => "ifup",
        };
        world.sh(&format!("cat /run/{file}.log")).stdout
    }

    /// It has not spoken of anything that it passes over.
    #[track_caller]
    pub fn assert_understood(self, world: &World) {
        let log = self.log(world);
        let passed_over = ["Unknown", "nvalid", "Failed to parse", "unknown"];
        let odd = log
            .lines()
            .filter(|line| passed_over.iter().any(|word| line.contains(word)));
        assert_eq!(odd.collect::<Vec<_>>(), [""; 0], "{log}");
    }
}

fn write(world: &World, printed: &str) {
    for (path, text) in files(printed) {
        world.write(&path, &text);
    }
}

/// It is told, and then the host starts anew.
#[track_caller]
fn by_nmcli(host: &Host, printed: &str) {
    host.run(WITHOUT_UDEV);
    host.run(NETWORK_MANAGER);
    host.run(printed);
    host.run(END_NETWORK_MANAGER);
    host.start_anew();
    host.run(NETWORK_MANAGER);
}

#[track_caller]
fn by_netplan(host: &Host, printed: &str) {
    generate(host, printed);
    host.run(WITHOUT_UDEV);
    host.run(NETWORKD);
    host.run(UNITS_OF_NETPLAN);
}

#[track_caller]
fn generate(host: &Host, printed: &str) {
    // As the installer of a system leaves it: the cards are there.
    host.world.write(
        "/etc/netplan/50-cards.yaml",
        "network: {version: 2, ethernets: {eth0: {}}}\n",
    );
    write(host.world, printed);
    let said = host.run("chmod 0600 /etc/netplan/*; /usr/libexec/netplan/generate 2>&1");
    assert_eq!(said, "");
}
