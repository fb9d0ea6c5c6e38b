//! What is asked for in the golden sessions, each with the name of its file.

/// Name of the file, and what is asked.
pub const SESSIONS: &[(&str, &[&str])] = &[
    ("bridge", &["pipework.bridge=br0"]),
    (
        "bridge-address-gateway",
        &["pipework.bridge=br0", "pipework.ip=10.0.0.5/24@10.0.0.1"],
    ),
    (
        "dhcp",
        &[
            "pipework.bridge=br0",
            "pipework.name=shop_web",
            "pipework.ip=dhcp",
            "pipework.dhcp.keep=false",
            "pipework.dhcp.arp=off",
            "pipework.dhcp.timeout=500ms",
        ],
    ),
    (
        "dhcp-beside-an-address-and-a-second-one",
        &[
            "pipework.0.bridge=br0",
            "pipework.0.ip=10.0.0.5/24,dhcp",
            "pipework.0.dhcp.release=true",
            "pipework.1.parent=up2",
            "pipework.1.ip=udhcpc",
            "pipework.1.dhcp.arp=rfc",
        ],
    ),
    (
        "dhcp-where-nothing-is-broadcast",
        &[
            "pipework.parent=up2",
            "pipework.type=ipvlan",
            "pipework.mode=l3",
            "pipework.ip=dhcp",
        ],
    ),
    (
        "bridge-made",
        &["pipework.bridge=br7", "pipework.ip=10.0.0.5/24@10.0.0.1"],
    ),
    (
        "bridge-missing",
        &["pipework.bridge=lan0", "pipework.ip=10.0.0.5/24"],
    ),
    (
        "macvlan",
        &[
            "pipework.parent=up2",
            "pipework.mac=U:web",
            "pipework.mode=private",
        ],
    ),
    (
        "macvlan-on-a-parent-that-is-down",
        &["pipework.parent=up1", "pipework.ip=10.0.0.5/24"],
    ),
    (
        "vlan-of-a-nic",
        &[
            "pipework.parent=up2",
            "pipework.vlan=100",
            "pipework.ip=10.0.0.5/24@10.0.0.1",
        ],
    ),
    (
        "vlan-of-a-nic-that-is-down",
        &["pipework.link=up1", "pipework.mac=@100"],
    ),
    (
        "trunk-of-a-nic",
        &["pipework.link=up2", "pipework.trunk=10,20-30"],
    ),
    (
        "bridge-made-for-a-vlan",
        &[
            "pipework.bridge=br7",
            "pipework.vlan=100",
            "pipework.trunk=10,20-30",
        ],
    ),
    (
        "link-to-a-bridge-and-to-a-nic",
        &["pipework.0.link=br0", "pipework.1.link=up1"],
    ),
    (
        "both-families",
        &[
            "pipework.bridge=br0",
            "pipework.ip=10.0.0.5/24,fd00::5/64@10.0.0.1,fd00::1",
        ],
    ),
    (
        "gateways-off-the-link",
        &[
            "pipework.bridge=br0",
            "pipework.ip=10.0.0.5/32,fd00::5/128@10.9.9.1,fd09::1",
        ],
    ),
    (
        "every-field",
        &[
            "pipework.bridge=br0",
            "pipework.ip=10.0.0.5/24@10.0.0.1",
            "pipework.mac=02:00:00:00:00:42",
            "pipework.ifname=lan0",
            "pipework.hostif=web0",
            "pipework.mtu=1400",
            "pipework.txqlen=77",
            "pipework.metric=50",
            "pipework.route=10.1.0.0/16 via 10.0.0.2; 10.4.0.0/16 via 192.0.2.1 metric 9 table 100 src 10.0.0.5 onlink",
            "pipework.sysctl.ipv4.conf.arp_ignore=1",
            "pipework.sysctl.ipv6.conf.accept_ra=2",
            "pipework.announce=0",
            "pipework.name=web",
        ],
    ),
    (
        "two-gateways",
        &[
            "pipework.0.bridge=br0",
            "pipework.0.ip=10.0.0.5/24@10.0.0.1",
            "pipework.1.bridge=br0",
            "pipework.1.ip=10.1.0.5/24@10.1.0.1",
        ],
    ),
    (
        "optional-without-uplink",
        &[
            "pipework.a0.parent=nic9",
            "pipework.a0.optional=true",
            "pipework.b0.bridge=br0",
        ],
    ),
    (
        "mtu-above-the-parents",
        &["pipework.parent=up2", "pipework.mtu=9000"],
    ),
    (
        "limits-guard-and-flags",
        &[
            "pipework.bridge=br0",
            "pipework.ip=10.0.0.5/24,fd00::5/64",
            "pipework.mac=02:00:00:00:00:42",
            "pipework.rate.in=100mbit",
            "pipework.rate.out=10mbit",
            "pipework.spoofcheck=true",
            "pipework.isolate=true",
            "pipework.promisc=true",
            "pipework.tc=qdisc add root fq_codel limit 1000; qdisc add clsact",
        ],
    ),
    (
        "limits-of-a-macvlan",
        &[
            "pipework.parent=up2",
            "pipework.rate.in=10mbit",
            "pipework.rate.out=10mbit",
            "pipework.burst=32kb",
        ],
    ),
    (
        "limits-of-kubernetes",
        &[
            "pipework.bridge=br0",
            "kubernetes.io/egress-bandwidth=10M",
            "kubernetes.io/ingress-bandwidth=1Gi",
        ],
    ),
    (
        "guard-of-a-macvlan",
        &["pipework.parent=up2", "pipework.spoofcheck=true"],
    ),
    (
        "burst-below-a-frame",
        &[
            "pipework.bridge=br0",
            "pipework.rate.in=1mbit",
            "pipework.burst=1kb",
        ],
    ),
    (
        "tc-in-the-place-of-a-limit",
        &[
            "pipework.parent=up2",
            "pipework.rate.out=1mbit",
            "pipework.tc=qdisc add root netem loss 1%",
        ],
    ),
    (
        "ovs-not-installed",
        &["pipework.ovs=ovs0", "pipework.vlan=100"],
    ),
    (
        "ipvlan",
        &[
            "pipework.parent=up2",
            "pipework.type=ipvlan",
            "pipework.ip=10.0.0.5/24@10.0.0.1",
        ],
    ),
    (
        "ipvlan-that-routes",
        &[
            "pipework.link=up1",
            "pipework.type=ipvlan",
            "pipework.mode=l3",
            "pipework.ip=10.0.0.5/24,fd00::5/64@10.0.0.1,fd00::1",
        ],
    ),
    (
        "dummy",
        &["pipework.dummy=dummy", "pipework.ip=10.0.0.5/24@10.0.0.1"],
    ),
    (
        "link-to-a-dummy",
        &["pipework.link=dummy0", "pipework.dad=arp"],
    ),
    (
        "host-access",
        &[
            "pipework.parent=up2",
            "pipework.host-access=true",
            "pipework.ip=10.0.0.5/24,10.7.0.5/32,fd00::5/64@10.0.0.254",
        ],
    ),
    (
        "host-access-in-a-vlan",
        &[
            "pipework.parent=up2",
            "pipework.vlan=100",
            "pipework.host-access=true",
            "pipework.ip=10.7.0.5/24",
        ],
    ),
    (
        "host-access-of-an-ipvlan-that-routes",
        &[
            "pipework.parent=up2",
            "pipework.type=ipvlan",
            "pipework.mode=l3s",
            "pipework.host-access=true",
            "pipework.ip=10.0.0.5/24",
        ],
    ),
    (
        "host-access-without-an-address-of-the-host",
        &[
            "pipework.parent=up1",
            "pipework.host-access=true",
            "pipework.ip=10.0.0.5/24",
        ],
    ),
    (
        "host-access-on-a-bridge",
        &["pipework.link=br0", "pipework.host-access=true"],
    ),
    (
        "rules-and-neighbours",
        &[
            "pipework.bridge=br0",
            "pipework.ip=10.0.0.5/24",
            "pipework.rule=from 10.0.0.5 lookup 100; from ::/0 fwmark 1/0xff lookup 101 suppress_prefixlength 0; not to 10.9.0.0/16 iif eth1 ipproto tcp dport 80-90 lookup main priority 7",
            "pipework.neigh=10.0.0.1 lladdr 02:00:00:00:00:01; proxy 10.0.0.9",
        ],
    ),
    (
        "replies-by-the-same-interface",
        &[
            "pipework.0.bridge=br0",
            "pipework.0.ip=10.0.0.5/24,fd00::5/64@10.0.0.1,fd00::1",
            "pipework.0.sbr=true",
            "pipework.0.route=10.1.0.0/16 via 10.0.0.2",
            "pipework.1.parent=up2",
            "pipework.1.ip=10.1.0.5/32@10.1.0.1",
            "pipework.1.default=false",
            "pipework.1.sbr=true",
        ],
    ),
    (
        "asked-for-first",
        &[
            "pipework.0.bridge=br0",
            "pipework.0.ip=10.0.0.5/24,fd00::5/64",
            "pipework.0.dad=arp",
            "pipework.1.parent=up2",
            "pipework.1.type=ipvlan",
            "pipework.1.ip=10.0.0.6/24",
            "pipework.1.dad=arp:1000",
        ],
    ),
    ("typo", &["pipework.brigde=br0", "pipework.ip=10.0.0.5/24"]),
    (
        "address-without-length",
        &["pipework.bridge=br0", "pipework.ip=10.0.0.5"],
    ),
    ("nothing", &["org.example.other=1"]),
];

/// The same where Open vSwitch runs and has a bridge ovs0.
pub const ON_OVS: &[(&str, &[&str])] = &[
    (
        "ovs",
        &[
            "pipework.ovs=ovs0",
            "pipework.mac=@100",
            "pipework.ip=10.0.0.5/24@10.0.0.1",
        ],
    ),
    (
        "ovs-made",
        &["pipework.0.bridge=ovs7", "pipework.1.ovs=ovs7"],
    ),
    (
        "ovs-trunk",
        &[
            "pipework.0.link=ovs0",
            "pipework.0.vlan=5",
            "pipework.0.trunk=10,20-30",
            "pipework.1.ovs=ovs0",
            "pipework.1.ovs.vlan-mode=access",
            "pipework.2.ovs=ovs0",
            "pipework.2.vlan=9",
            "pipework.2.ovs.vlan-mode=dot1q-tunnel",
        ],
    ),
    ("ovs-missing", &["pipework.ovs=lan7"]),
    (
        "ovs-field-elsewhere",
        &["pipework.bridge=br0", "pipework.ovs.iface-id=x"],
    ),
];
