//! What is printed for each manager, in full, and names that are refused.

use super::*;

fn facts() -> Facts {
    Facts {
        bridge: "br0".to_owned(),
        ovs: false,
        filtering: None,
        mac: "02:00:00:00:00:05".to_owned(),
        mtu: Some(9000),
        port: Port::Nic("eth0".to_owned()),
        dhcp4: false,
        advertised: true,
        addresses: vec!["10.0.0.5/24".to_owned(), "fd00::5/64".to_owned()],
        routes: vec![Route {
            to: "0.0.0.0/0".parse().unwrap(),
            via: Some("10.0.0.1".parse().unwrap()),
            metric: Some(100),
            table: None,
            source: None,
            onlink: false,
        }],
        unsaid: Vec::new(),
    }
}

#[test]
fn every_kind_says_bridge_port_address_and_gateway() {
    for (kind, word) in Kind::ALL {
        let text = text(kind, &facts());
        for needed in [
            "br0",
            "eth0",
            "10.0.0.5/24",
            "10.0.0.1",
            "02:00:00:00:00:05",
            "9000",
        ] {
            assert!(text.contains(needed), "{word} lacks {needed}:\n{text}");
        }
        assert_eq!(word.parse::<Kind>(), Ok(kind));
    }
}

#[test]
fn a_name_that_would_have_to_be_quoted_is_in_no_command() {
    for name in ["a;reboot", "$(id)", "a'b", "a\"b", "a[b", "a#b", "a,b"] {
        let mut facts = facts();
        facts.port = Port::Nic(name.to_owned());
        for (kind, _) in Kind::ALL {
            let text = text(kind, &facts);
            assert!(
                text.starts_with("# ") && text.lines().count() == 1,
                "{text}"
            );
        }
    }
}

#[test]
fn networkd_gets_three_files() {
    let text = text(Kind::Networkd, &facts());
    assert_eq!(
        text,
        "# /etc/systemd/network/10-br0.netdev\n[NetDev]\nName=br0\nKind=bridge\nMACAddress=02:00:00:00:00:05\n\
         \n[Bridge]\nSTP=no\nForwardDelaySec=0\n\n# /etc/systemd/network/10-eth0.network\n[Match]\n\
         Name=eth0\n\n[Link]\nMTUBytes=9000\n\n[Network]\nBridge=br0\nLinkLocalAddressing=no\n\n\
         # /etc/systemd/network/10-br0.network\n[Match]\nName=br0\n\n[Link]\nMTUBytes=9000\n\n[Network]\nIPv6AcceptRA=yes\nAddress=10.0.0.5/24\nAddress=fd00::5/64\n\n[Route]\n\
         Destination=0.0.0.0/0\nGateway=10.0.0.1\nMetric=100\n"
    );
}

#[test]
fn an_mtu_is_that_of_the_bridge_and_of_its_port() {
    let nic = Port::Nic("eth0".to_owned());
    let bond = Port::Bond {
        name: "bond-br0".to_owned(),
        mode: BondMode::ActiveBackup,
        members: vec!["eth0".to_owned(), "eth1".to_owned()],
    };
    let vlan = Port::Vlan {
        name: "eth0.100".to_owned(),
        parent: "eth0".to_owned(),
        vlan: 100,
    };
    for port in [nic, vlan, bond] {
        for (kind, line) in [
            (Kind::Networkd, "[Link]\nMTUBytes=9000\n"),
            (Kind::NetworkManager, " 802-3-ethernet.mtu 9000"),
            (Kind::Ifupdown, " mtu 9000\n"),
            (Kind::Netplan, "mtu: 9000"),
        ] {
            let facts = Facts {
                port: port.clone(),
                ..facts()
            };
            let text = text(kind, &facts);
            assert_eq!(text.matches(line).count(), 2, "{kind}:\n{text}");
        }
    }
}

#[test]
fn a_lease_stays_a_lease() {
    let facts = Facts {
        dhcp4: true,
        addresses: Vec::new(),
        routes: Vec::new(),
        ..facts()
    };
    for (kind, line) in [
        (Kind::Networkd, "DHCP=ipv4"),
        (Kind::NetworkManager, "ipv4.method auto"),
        (Kind::Ifupdown, "iface br0 inet dhcp"),
        (Kind::Netplan, "dhcp4: true"),
    ] {
        assert!(text(kind, &facts).contains(line), "{kind}");
    }
}

#[test]
fn vlans_and_bonds_are_made_as_well() {
    let mut facts = facts();
    facts.port = Port::Vlan {
        name: "eth0.100".to_owned(),
        parent: "eth0".to_owned(),
        vlan: 100,
    };
    for (kind, line) in [
        (Kind::Networkd, "Kind=vlan\n\n[VLAN]\nId=100"),
        (
            Kind::NetworkManager,
            "type vlan con-name eth0.100 ifname eth0.100 dev eth0 id 100 master br0",
        ),
        (
            Kind::Ifupdown,
            "auto eth0.100\niface eth0.100 inet manual\nauto br0",
        ),
        (Kind::Netplan, "eth0.100: {id: 100, link: eth0"),
    ] {
        assert!(text(kind, &facts).contains(line), "{kind}");
    }
    facts.port = Port::Bond {
        name: "bond-br0".to_owned(),
        mode: BondMode::ActiveBackup,
        members: vec!["eth0".to_owned(), "eth1".to_owned()],
    };
    for (kind, line) in [
        (Kind::Networkd, "Mode=active-backup"),
        (Kind::NetworkManager, "mode=active-backup,miimon=100"),
        (Kind::Ifupdown, "bond-mode active-backup"),
        (Kind::Ifupdown, "needs bridge-utils and ifenslave\n"),
        (Kind::Netplan, "interfaces: [eth0, eth1]"),
    ] {
        let text = text(kind, &facts);
        assert!(text.contains(line), "{kind}");
        // Not by the order in which its members come.
        let given = text.matches("02:00:00:00:00:05").count();
        let wanted = usize::from(kind != Kind::Ifupdown) + 1;
        assert_eq!(given, wanted, "{kind}: {text}");
    }
}

#[test]
fn ifupdown_makes_a_vlan_device_of_any_name() {
    let facts = Facts {
        port: Port::Vlan {
            name: "lan".to_owned(),
            parent: "eth0".to_owned(),
            vlan: 100,
        },
        ..facts()
    };
    let text = text(Kind::Ifupdown, &facts);
    let made = "auto lan\niface lan inet manual\n    pre-up ip link set eth0 up\n    \
                pre-up ip link add link eth0 name lan type vlan id 100\n";
    assert!(text.contains(made), "{text}");
}

#[test]
fn a_bridge_that_keeps_vlans_apart_does_so_again() {
    let facts = Facts {
        filtering: Some(7),
        ..facts()
    };
    for (kind, lines) in [
        (Kind::Networkd, "VLANFiltering=yes\nDefaultPVID=7\n"),
        (
            Kind::NetworkManager,
            " bridge.vlan-filtering yes bridge.vlan-default-pvid 7 ",
        ),
        (
            Kind::Ifupdown,
            "    up ip link set br0 type bridge vlan_filtering 1 vlan_default_pvid 7\n",
        ),
        (
            Kind::Netplan,
            "# netplan has no word for it: ip link set br0 type bridge vlan_filtering 1\n",
        ),
    ] {
        let text = text(kind, &facts);
        assert!(text.contains(lines), "{kind}:\n{text}");
    }
}

#[test]
fn a_bridge_of_open_vswitch_is_made_by_its_database() {
    let facts = Facts {
        ovs: true,
        ..facts()
    };
    for (kind, told) in [
        (Kind::Networkd, "ovs-vsctl --may-exist add-port br0 eth0"),
        (Kind::Ifupdown, "ovs-vsctl --may-exist add-port br0 eth0"),
        (Kind::Ifupdown, "    up ip link set eth0 up\n"),
        (Kind::Netplan, "openvswitch: {}"),
        (
            Kind::Netplan,
            "# once: ovs-vsctl set Bridge br0 other-config:hwaddr='\"02:00:00:00:00:05\"'\n",
        ),
        (Kind::NetworkManager, "nm-openvswitch(7)"),
    ] {
        let text = text(kind, &facts);
        assert!(text.contains(told), "{kind}: {text}");
        let other = ["Kind=bridge", "bridge_ports", "stp: false", "type bridge"];
        assert!(
            !other.iter().any(|word| text.contains(word)),
            "{kind}: {text}"
        );
    }
}
