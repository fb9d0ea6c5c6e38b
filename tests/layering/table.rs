//! Who may import what: the drawing in src/lib.rs as a table.

/// What the modules of a layer may import from the crate, by prefix. The
/// layers are the drawing in src/lib.rs, read from right to left.
pub const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("lib", &[]),
    ("main", &[]),
    (
        "frontend",
        &[
            "attach",
            "collect",
            // Whether the settings can be read is asked by a command.
            "config",
            "deadline",
            // The protocol of dockerd's plugins.
            "docker",
            "error",
            // Who works on which of Docker's.
            "gate",
            "hint",
            "host",
            "keeper",
            "logging",
            // The protocol of the runtimes that tell of pods.
            "nri",
            // Which file a network is in, for every door.
            "networks",
            "plan",
            "policy",
            "pools",
            "record",
            "reference",
            "request",
            "rt",
            "sys",
            // What is wrong with one, and where something stands in it.
            "trust::flaws",
            "trust::text",
            "uplink",
        ],
    ),
    // A list of leases to print.
    (
        "frontend::leases::tests",
        &["dhcp", "record", "reference", "request"],
    ),
    // What another client says is read where our own one's answers are.
    ("frontend::dhcp_report", &["dhcp", "sys"]),
    // Host uplinks: a change of the host itself, with its own plan and record.
    // Hints of the store are the same for everybody.
    (
        "uplink",
        &[
            "deadline",
            "hint",
            "host::ovs",
            "plan",
            "record",
            "reference",
            "request",
            "sys",
        ],
    ),
    // Pure: what the kernel told is data to them.
    ("uplink::back", &["sys::rtnl"]),
    ("uplink::judge", &["request", "sys::rtnl"]),
    (
        "uplink::plan",
        &["request", "sys::ovsdb::vswitch", "sys::rtnl"],
    ),
    ("uplink::rules", &["sys::rtnl"]),
    ("uplink::settings", &["sys::rtnl"]),
    ("uplink::snippet", &["sys::rtnl"]),
    ("uplink::step", &["request", "sys::rtnl"]),
    // The protocol only: it knows of no network.
    ("nri", &["deadline"]),
    // The same; a network's options are fields, by the one table of them.
    ("docker", &["request"]),
    (
        "attach",
        &[
            "announce",
            "apply",
            "collect",
            "deadline",
            // A lease is a second plan, and somebody keeps it.
            "dhcp",
            "error",
            "host",
            "keeper",
            "plan",
            "policy",
            "pools",
            "record",
            "reference",
            "request",
            // What leases and routers know of names, put together.
            "rt",
            "sys",
        ],
    ),
    (
        "collect",
        &[
            "apply",
            "config",
            "deadline",
            // The namespace that a container joins by a path.
            "host::bundle",
            "plan",
            "record",
            "reference",
            "request",
            "sys",
        ],
    ),
    // What is shared is acquired and released under the lock of its record.
    (
        "apply",
        &[
            "config",
            "deadline",
            "plan",
            "pools",
            "record",
            "reference",
            "request",
            "rt",
            "sys",
        ],
    ),
    ("announce", &["apply", "plan", "request", "sys"]),
    // What a NIC was on the host is kept as the kernel told it, and handed on
    // unread; a lease is data that is planned from.
    (
        "plan",
        &["dhcp", "host::view", "request", "rt", "sys::rtnl::NicHome"],
    ),
    // Both read a file that only root may have written.
    // A view of a NIC in a test holds what the NIC was.
    (
        "policy::tests",
        &["host::view", "request", "sys::rtnl::NicHome", "trust"],
    ),
    ("policy", &["host::view", "request", "trust"]),
    ("config", &["request", "trust"]),
    ("networks", &["request", "trust"]),
    // An address is held for as long as a record speaks of it.
    (
        "pools",
        &[
            "deadline",
            "gate",
            "record",
            "reference",
            "request",
            "rt",
            "sys",
        ],
    ),
    ("trust", &[]),
    // A lease that is kept is a client's configuration and state.
    (
        "record",
        &[
            "deadline",
            "dhcp",
            "plan",
            // On whose behalf: a repair is judged as the start was.
            "policy::Caller",
            "reference",
            "request",
            "rt",
            "sys::proc",
        ],
    ),
    ("host::view", &["request", "rt", "sys::rtnl::NicHome"]),
    // Where Open vSwitch's database listens is a setting.
    (
        "host",
        &["config", "deadline", "reference", "request", "rt", "sys"],
    ),
    ("sys", &["deadline", "request", "rt"]),
    ("dhcp", &["deadline", "request", "rt", "sys"]),
    // What a container left is collected when it ends, as a hook would.
    (
        "keeper",
        &[
            "apply",
            "collect",
            "deadline",
            "dhcp",
            // It keeps what they said while they are broken.
            "networks",
            "plan",
            "policy",
            "record",
            "reference",
            "request",
            "rt",
            "sys",
            "trust",
        ],
    ),
    ("request", &[]),
    ("rt", &["request"]),
    ("reference", &[]),
    ("deadline", &[]),
    ("gate", &["deadline"]),
    ("logging", &[]),
    (
        "error",
        &[
            "apply",
            "collect",
            "config",
            "frontend::docker_plugin",
            "frontend::hook",
            "frontend::nri",
            "frontend::runtime",
            "hint",
            "host::container",
            "host::find",
            "host::inspect",
            // Who has a virtual function.
            "host::view",
            "keeper",
            "networks",
            "plan",
            "policy",
            "pools",
            "record",
            "request",
            // Which names a reader may be told.
            "rt",
            "sys::ovsdb",
            "sys::rtnl",
            "uplink::error",
        ],
    ),
    (
        "hint",
        &[
            "host::container",
            "host::find",
            "keeper",
            "plan",
            "record",
            "reference",
            "request",
            "rt",
            "sys::ovsdb",
        ],
    ),
];
