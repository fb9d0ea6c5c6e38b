//! The DHCP servers of the Debian root, run on another machine of a lab.
//!
//! They are started by the root's own loader from the root's files, without
//! entering it; what they write lies below /run, which is the lab's.

use std::fs;
use std::process::{Child, Command, Stdio};

use super::lab::{Container, Lab};
use super::world::root;

/// Where dnsmasq keeps what it gave.
pub const LEASES: &str = "/run/dnsmasq.leases";

/// One of the servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Simon Kelley's.
    Dnsmasq,
    /// ISC's new one.
    Kea,
    /// ISC's old one.
    Isc,
    /// That of busybox.
    Udhcpd,
}

/// All of them.
pub const ALL: [Kind; 4] = [Kind::Dnsmasq, Kind::Kea, Kind::Isc, Kind::Udhcpd];

/// A running server, killed when this goes.
pub struct Server(Child);

impl Kind {
    /// The words of its command line behind the program.
    fn arguments(self) -> (&'static str, Vec<String>) {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect();
        match self {
            Self::Dnsmasq => (
                "dnsmasq",
                words(&format!(
                    "--no-daemon --conf-file=/dev/null --user=root --port=0 --interface=wire \
                     --bind-interfaces --dhcp-authoritative --dhcp-leasefile={LEASES}"
                )),
            ),
            Self::Kea => {
                fs::write("/run/kea.json", KEA).unwrap();
                ("kea-dhcp4", words("-c /run/kea.json"))
            }
            Self::Isc => {
                fs::write("/run/dhcpd.conf", ISC).unwrap();
                fs::write("/run/dhcpd.leases", "").unwrap();
                (
                    "dhcpd",
                    words("-f -cf /run/dhcpd.conf -lf /run/dhcpd.leases -pf /run/dhcpd.pid wire"),
                )
            }
            Self::Udhcpd => {
                fs::write("/run/udhcpd.conf", UDHCPD).unwrap();
                fs::write("/run/udhcpd.leases", "").unwrap();
                ("udhcpd", words("-f /run/udhcpd.conf"))
            }
        }
    }

    /// Starts Kea or ISC dhcpd as [`Kind::start`] does, with what `change` makes of
    /// its configuration.
    pub fn start_changed(
        self,
        lab: &Lab,
        machine: &Container,
        change: impl FnOnce(&str) -> String,
    ) -> Option<Server> {
        let (name, arguments) = self.arguments();
        let (file, text) = match self {
            Self::Kea => ("/run/kea.json", KEA),
            Self::Isc => ("/run/dhcpd.conf", ISC),
            Self::Dnsmasq | Self::Udhcpd => panic!("{self:?} has options"),
        };
        fs::write(file, change(text)).unwrap();
        launch(lab, machine, name, &arguments)
    }

    /// Starts it on `wire` with addresses from 10.0.0.100 to 10.0.0.110, which
    /// dnsmasq is told by `options`; `None` without a root that has it.
    pub fn start(self, lab: &Lab, machine: &Container, options: &[&str]) -> Option<Server> {
        let (name, arguments) = self.arguments();
        launch(lab, machine, name, &[arguments, owned(options)].concat())
    }
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// dnsmasq for IPv6 on `wire`: router and server, with addresses of fd00::/64
/// as `options` say.
pub fn dnsmasq6(lab: &Lab, machine: &Container, options: &[&str]) -> Option<Server> {
    let (name, arguments) = Kind::Dnsmasq.arguments();
    let own = owned(&["--enable-ra", "--dhcp-option=option6:dns-server,[fd00::53]"]);
    let options = [arguments, own, owned(options)].concat();
    launch(lab, machine, name, &options)
}

/// Kea for IPv6 on `wire`, with addresses from fd00::100 to fd00::1ff for ten
/// minutes.
pub fn kea6(lab: &Lab, machine: &Container) -> Option<Server> {
    fs::write("/run/kea6.json", KEA6).unwrap();
    launch(lab, machine, "kea-dhcp6", &owned(&["-c", "/run/kea6.json"]))
}

/// radvd on `wire`, with the settings of its interface.
pub fn radvd(lab: &Lab, machine: &Container, settings: &str) -> Option<Server> {
    let text = format!(
        "interface wire {{ AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4; {settings} }};"
    );
    fs::write("/run/radvd.conf", text).unwrap();
    lab.inside(machine, || {
        fs::write("/proc/sys/net/ipv6/conf/all/forwarding", "1").unwrap();
    });
    let words = [
        "-n",
        "-u",
        "root",
        "-C",
        "/run/radvd.conf",
        "-p",
        "/run/radvd.pid",
    ];
    launch(lab, machine, "radvd", &owned(&words))
}

/// Runs a program of the root on a machine, by the root's own loader.
fn launch(lab: &Lab, machine: &Container, name: &str, words: &[String]) -> Option<Server> {
    let root = root("trixie").ok()?;
    let program = fs::canonicalize(format!("{root}/usr/sbin/{name}")).ok()?;
    let libraries = format!("{root}/usr/lib/x86_64-linux-gnu");
    let log = fs::File::create(format!("/run/{name}.log")).unwrap();
    let child = lab.inside(machine, || {
        Command::new("setpriv")
            .args(["--pdeathsig", "KILL"])
            .arg(format!("{libraries}/ld-linux-x86-64.so.2"))
            .args(["--argv0", name])
            .args(["--library-path", &libraries])
            .arg(&program)
            .args(words)
            .env("KEA_PIDFILE_DIR", "/run")
            .env("KEA_LOCKFILE_DIR", "none")
            .env("KEA_DHCP_DATA_DIR", "/run")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap()
    });
    Some(Server(child))
}

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

const KEA: &str = r#"{ "Dhcp4": {
    "interfaces-config": { "interfaces": [ "wire" ], "dhcp-socket-type": "raw" },
    "lease-database": { "type": "memfile", "persist": false },
    "authoritative": true,
    "valid-lifetime": 600,
    "subnet4": [ { "id": 1, "subnet": "10.0.0.0/24", "interface": "wire",
        "pools": [ { "pool": "10.0.0.100 - 10.0.0.110" } ],
        "option-data": [ { "name": "routers", "data": "10.0.0.2" } ] } ],
    "loggers": [ { "name": "kea-dhcp4", "severity": "INFO",
        "output-options": [ { "output": "stdout" } ] } ]
} }"#;

const ISC: &str = "authoritative;
default-lease-time 600;
subnet 10.0.0.0 netmask 255.255.255.0 {
    range 10.0.0.100 10.0.0.110;
    option routers 10.0.0.2;
}
";

const UDHCPD: &str = "start 10.0.0.100
end 10.0.0.110
interface wire
lease_file /run/udhcpd.leases
pidfile /run/udhcpd.pid
option subnet 255.255.255.0
option router 10.0.0.2
option lease 600
";

const KEA6: &str = r#"{ "Dhcp6": {
    "interfaces-config": { "interfaces": [ "wire" ] },
    "lease-database": { "type": "memfile", "persist": false },
    "server-id": { "type": "EN", "enterprise-id": 2495, "identifier": "87ABEF7A5BB545",
        "persist": false },
    "preferred-lifetime": 400, "valid-lifetime": 600,
    "renew-timer": 200, "rebind-timer": 300,
    "subnet6": [ { "id": 1, "subnet": "fd00::/64", "interface": "wire",
        "pools": [ { "pool": "fd00::100 - fd00::1ff" } ],
        "option-data": [ { "name": "dns-servers", "data": "fd00::53" },
                         { "name": "domain-search", "data": "lan" } ] } ],
    "loggers": [ { "name": "kea-dhcp6", "severity": "INFO",
        "output-options": [ { "output": "stdout" } ] } ]
} }"#;
