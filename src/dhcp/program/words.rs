//! What each program is told: to ask in the foreground for one interface, under
//! the name that our own client would have, and to report to us.
//!
//! All that comes from a user here is a host name of letters, digits and
//! hyphens, and bytes in hexadecimal. Pure.

use super::REPORTER;
use crate::dhcp::v4::Config;
use crate::request::keys::form::is_host_name;
use crate::request::{DhcpDialect, IfName};
use crate::sys::program::SCRATCH;

const SETTINGS: &str = "dhcp.conf";

fn hexadecimal(bytes: &[u8], between: &str) -> String {
    let bytes: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    bytes.join(between)
}

fn host_name(config: &Config) -> Option<&str> {
    config
        .host_name
        .as_deref()
        .filter(|name| is_host_name(name))
}

/// The words behind its name.
pub(super) fn arguments(dialect: DhcpDialect, config: &Config, ifname: &IfName) -> Vec<String> {
    let own = |name: &str| format!("{SCRATCH}/{name}");
    let reporter = own(REPORTER);
    let mut words: Vec<String> = Vec::new();
    let mut add = |all: &[&str]| words.extend(all.iter().map(|word| (*word).to_owned()));
    match dialect {
        DhcpDialect::Udhcpc => {
            add(&["-f", "-i", ifname.as_str(), "-s", &reporter]);
            // As often as it takes, a second apart; our deadline ends it.
            add(&["-t", "1000", "-T", "1"]);
            for wanted in ["staticroutes", "mtu", "search"] {
                add(&["-O", wanted]);
            }
            let id = hexadecimal(&config.client_id, "");
            add(&["-x", &format!("0x3d:{id}")]);
            if let Some(name) = host_name(config) {
                add(&["-x", &format!("hostname:{name}")]);
            }
            if config.broadcast {
                add(&["-B"]);
            }
        }
        DhcpDialect::Dhclient => {
            add(&["-4", "-d", "-q", "-sf", &reporter]);
            add(&[
                "-cf",
                &own(SETTINGS),
                "-lf",
                &own("leases"),
                "-pf",
                &own("pid"),
            ]);
            add(&[ifname.as_str()]);
        }
        DhcpDialect::Dhcpcd => {
            add(&["-B", "-4", "-A", "-L", "--noconfigure", "-t", "0"]);
            add(&["-c", &reporter, "-f", &own(SETTINGS)]);
            if config.broadcast {
                add(&["-J"]);
            }
            add(&[ifname.as_str()]);
        }
    }
    words
}

/// What it reads besides.
pub(super) fn files(dialect: DhcpDialect, config: &Config) -> Vec<(&'static str, String)> {
    let id = hexadecimal(&config.client_id, ":");
    let text = match dialect {
        DhcpDialect::Udhcpc => return Vec::new(),
        DhcpDialect::Dhclient => {
            let name = host_name(config).map(|name| format!("send host-name \"{name}\";\n"));
            let broadcast = if config.broadcast {
                "bootp-broadcast-always;\n"
            } else {
                ""
            };
            format!(
                "option rfc3442-classless-static-routes code 121 = array of unsigned integer 8;\n\
                 request subnet-mask, rfc3442-classless-static-routes, routers, \
                 domain-name-servers, domain-name, domain-search, interface-mtu, ntp-servers;\n\
                 send dhcp-client-identifier {id};\n{}{broadcast}\
                 initial-delay 0;\ninitial-interval 1;\nbackoff-cutoff 2;\nretry 1;\n",
                name.unwrap_or_default()
            )
        }
        DhcpDialect::Dhcpcd => {
            let name = host_name(config).map(|name| format!("hostname {name}\n"));
            format!(
                "clientid {id}\n{}option subnet_mask, classless_static_routes, routers, \
                 domain_name_servers, domain_name, domain_search, interface_mtu, ntp_servers\n\
                 nodelay\nnogateway\n",
                name.unwrap_or_default()
            )
        }
    };
    vec![(SETTINGS, text)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dhcp::wire::Hardware;

    fn config(host_name: &str) -> Config {
        let hardware = Hardware::Ethernet([2, 0, 0, 0, 0, 5]);
        Config {
            host_name: Some(host_name.to_owned()),
            broadcast: true,
            ..Config::new(hardware, vec![1, 2, 0, 0, 0, 0, 5])
        }
    }

    fn all(host_name: &str) -> String {
        let all = [
            DhcpDialect::Udhcpc,
            DhcpDialect::Dhclient,
            DhcpDialect::Dhcpcd,
        ];
        let ifname = "eth1".parse().unwrap();
        let said = all.map(|dialect| {
            let config = config(host_name);
            let words = arguments(dialect, &config, &ifname).join(" ");
            let files = files(dialect, &config).into_iter().map(|(_, text)| text);
            format!("{words}\n{}", files.collect::<String>())
        });
        said.join("\n")
    }

    #[test]
    fn every_program_is_told_who_it_asks_for_and_whom_it_reports_to() {
        let text = all("web-1");
        for part in [
            "-s /run/pipework-dhcp-report",
            "-sf /run/pipework-dhcp-report",
            "-c /run/pipework-dhcp-report",
            "-x 0x3d:01020000000005",
            "-x hostname:web-1",
            "send dhcp-client-identifier 01:02:00:00:00:00:05;",
            "send host-name \"web-1\";",
            "bootp-broadcast-always;",
            "clientid 01:02:00:00:00:00:05",
            "hostname web-1",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn a_host_name_that_could_say_more_is_left_out() {
        for name in ["a\"; send x 1;", "a\nscript /x", "a b", "", "-s", "é"] {
            assert_eq!(all(name), all(""), "{name}");
        }
    }
}
