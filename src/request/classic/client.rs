//! The names of DHCP clients that the script starts, and the options of theirs
//! that the built-in client has as well.

use crate::request::keys::form;

/// A client that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Which one.
    pub name: &'static str,
    /// Fields that its options mean, without `pipework.`.
    pub fields: Vec<(&'static str, String)>,
    /// Options that mean nothing here.
    pub ignored: Vec<String>,
}

/// Whether a client can be told to stay, by `-f` behind its name.
const CLIENTS: [(&str, bool); 4] = [
    ("udhcpc", true),
    ("dhclient", true),
    ("dhcpcd", false),
    ("dhcp", false),
];

impl Client {
    /// The client that an address names; `None` when it is none.
    ///
    /// `guest` is the host name that the script sends where it sends one; one that
    /// is none, such as an empty one, is not sent.
    pub fn parse(address: &str, guest: &str) -> Option<Self> {
        let (client, options) = address.split_once(':').unwrap_or((address, ""));
        // A lease is renewed whether it is said or not: whoever relies on an address
        // relies on it for longer than its lease.
        let (name, _) = CLIENTS.iter().find(|(name, may_stay)| {
            let rest = client.strip_prefix(name);
            rest == Some("") || (*may_stay && rest == Some("-f"))
        })?;
        let mut client = Self {
            name,
            fields: Vec::new(),
            ignored: Vec::new(),
        };
        // dhclient is started without a host name.
        if *name != "dhclient" && form::is_host_name(guest) {
            client.set("dhcp.hostname", guest);
        }
        client.read(options);
        Some(client)
    }

    fn set(&mut self, field: &'static str, value: &str) {
        self.fields.retain(|(known, _)| *known != field);
        self.fields.push((field, value.to_owned()));
    }

    /// udhcpc's `-x hostname:NAME`, and what the three have in common.
    fn read(&mut self, options: &str) {
        let mut words = options.split_ascii_whitespace();
        while let Some(option) = words.next() {
            let is_dhcpcd = self.name == "dhcpcd";
            match option {
                // To end with the lease is said, not only understood.
                "-q" if self.name == "udhcpc" => self.set("dhcp.keep", "false"),
                "-1" if is_dhcpcd => self.set("dhcp.keep", "false"),
                // In the foreground, quietly, until there is one: as we do.
                "-f" | "-q" | "-n" | "-1" | "-4" | "-w" | "-b" => {}
                "-R" => self.set("dhcp.release", "true"),
                "-x" | "-h" | "-F" | "-H" | "-V" | "-I" | "-i" => {
                    let value = words.next().unwrap_or_default();
                    let field = match (option, value.split_once(':')) {
                        ("-x", Some(("hostname", name))) => Some(("dhcp.hostname", name)),
                        ("-x", Some(("vendor", class))) => Some(("dhcp.vendor-class", class)),
                        ("-h" | "-F" | "-H", _) => Some(("dhcp.hostname", value)),
                        ("-V", _) => Some(("dhcp.vendor-class", value)),
                        ("-i", _) if is_dhcpcd => Some(("dhcp.vendor-class", value)),
                        ("-I", _) => Some(("dhcp.client-id", value)),
                        (_, _) => None,
                    };
                    match field {
                        Some((field, value)) => self.set(field, value),
                        None => self.ignored.push(format!("{option} {value}")),
                    }
                }
                "-t" if is_dhcpcd => match words.next().and_then(|time| time.parse::<u32>().ok()) {
                    // More than a run has would be refused.
                    Some(seconds) => {
                        self.set("dhcp.timeout", &format!("{}s", seconds.clamp(1, 40)))
                    }
                    None => self.ignored.push(option.to_owned()),
                },
                other => self.ignored.push(other.to_owned()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(address: &str) -> Vec<(&'static str, String)> {
        Client::parse(address, "web").unwrap().fields
    }

    #[test]
    fn the_scripts_clients_are_known_and_nothing_else() {
        for (address, name) in [
            ("dhcp", "dhcp"),
            ("dhcp:-f", "dhcp"),
            ("udhcpc", "udhcpc"),
            ("udhcpc-f", "udhcpc"),
            ("dhclient-f:-v", "dhclient"),
            ("dhcpcd", "dhcpcd"),
        ] {
            assert_eq!(Client::parse(address, "web").unwrap().name, name);
        }
        for other in ["dhcp6", "dhcpcd-f", "dhcp-f", "10.0.0.1", "", "udhcpcx"] {
            assert_eq!(Client::parse(other, "web"), None, "{other}");
        }
    }

    #[test]
    fn a_lease_is_kept_unless_the_client_is_told_to_end_with_it() {
        let keeps = |address: &str| {
            !fields(address)
                .iter()
                .any(|(field, _)| *field == "dhcp.keep")
        };
        for address in [
            "dhcp",
            "udhcpc",
            "udhcpc-f",
            "dhclient",
            "dhclient:-1",
            "dhcpcd:-q",
        ] {
            assert!(keeps(address), "{address}");
        }
        for address in ["udhcpc:-q", "dhcpcd:-1", "dhcpcd:-t 5 -1"] {
            assert!(!keeps(address), "{address}");
        }
    }

    #[test]
    fn the_container_is_the_host_name_where_the_script_sends_one() {
        let hostname = [("dhcp.hostname", "web".to_owned())];
        assert_eq!(fields("udhcpc"), hostname);
        assert_eq!(fields("dhcpcd"), hostname);
        assert_eq!(fields("dhclient"), []);
        assert_eq!(Client::parse("dhcp", "pid:7").unwrap().fields, []);
    }

    #[test]
    fn options_that_the_built_in_client_has_are_taken_and_others_told_of() {
        let client = Client::parse("udhcpc:-x hostname:db -V acme -s /x -R", "web").unwrap();
        let expected = [
            ("dhcp.hostname", "db"),
            ("dhcp.vendor-class", "acme"),
            ("dhcp.release", "true"),
        ];
        let expected = expected.map(|(field, value)| (field, value.to_owned()));
        assert_eq!(client.fields, expected);
        assert_eq!(client.ignored, ["-s", "/x"]);
    }
}
