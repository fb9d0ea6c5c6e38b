//! The real hook against a real kernel: what it makes, what it leaves alone,
//! and what is left when it is refused, stopped or killed.
//!
//! Every test has a lab of its own (support/lab.rs): namespaces in which it may
//! do anything, and which end with it. What the kernel lacks is skipped.

// A test fails by panicking.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "kernel/addresses.rs"]
mod addresses;
#[path = "kernel/announcement.rs"]
mod announcement;
#[path = "kernel/binary.rs"]
mod binary;
#[path = "kernel/bridge.rs"]
mod bridge;
#[path = "kernel/bridge_vlan.rs"]
mod bridge_vlan;
#[path = "kernel/bridge_vlan_uplink.rs"]
mod bridge_vlan_uplink;
#[path = "kernel/caller.rs"]
mod caller;
#[path = "kernel/classic_words.rs"]
mod classic_words;
#[path = "kernel/command_line.rs"]
mod command_line;
#[path = "kernel/commands.rs"]
mod commands;
#[path = "compat/mod.rs"]
mod compat;
#[path = "kernel/compat_uplinks.rs"]
mod compat_uplinks;
#[path = "kernel/crowd.rs"]
mod crowd;
#[path = "kernel/dad.rs"]
mod dad;
#[path = "kernel/detach.rs"]
mod detach;
#[path = "kernel/device.rs"]
mod device;
#[path = "kernel/device_back.rs"]
mod device_back;
#[path = "kernel/device_leased.rs"]
mod device_leased;
#[path = "kernel/device_podman.rs"]
mod device_podman;
#[path = "kernel/device_traffic.rs"]
mod device_traffic;
#[path = "kernel/docker_check.rs"]
mod docker_check;
#[path = "kernel/docker_exchanges.rs"]
mod docker_exchanges;
#[path = "kernel/docker_kept.rs"]
mod docker_kept;
#[path = "kernel/docker_kinds.rs"]
mod docker_kinds;
#[path = "kernel/docker_leased.rs"]
mod docker_leased;
#[path = "kernel/docker_plugin.rs"]
mod docker_plugin;
#[path = "kernel/doctor.rs"]
mod doctor;
#[path = "kernel/doctor_kernel.rs"]
mod doctor_kernel;
#[path = "kernel/drift.rs"]
mod drift;
#[path = "kernel/drift_card.rs"]
mod drift_card;
#[path = "kernel/drift_reach.rs"]
mod drift_reach;
#[path = "kernel/dummy.rs"]
mod dummy;
#[path = "kernel/end_kill.rs"]
mod end_kill;
#[path = "kernel/files.rs"]
mod files;
#[path = "kernel/graph.rs"]
mod graph;
#[path = "kernel/guard.rs"]
mod guard;
#[path = "kernel/handover.rs"]
mod handover;
#[path = "kernel/hook.rs"]
mod hook;
#[path = "kernel/host_access.rs"]
mod host_access;
#[path = "kernel/host_access_vlan.rs"]
mod host_access_vlan;
#[path = "kernel/hosts.rs"]
mod hosts;
#[path = "kernel/index.rs"]
mod index;
#[path = "kernel/input.rs"]
mod input;
#[path = "kernel/install_kill.rs"]
mod install_kill;
#[path = "kernel/ipvlan.rs"]
mod ipvlan;
#[path = "kernel/kill.rs"]
mod kill;
#[path = "kernel/kills.rs"]
mod kills;
#[path = "kernel/lease_kill.rs"]
mod lease_kill;
#[path = "kernel/lines.rs"]
mod lines;
#[path = "kernel/loss.rs"]
mod loss;
#[path = "kernel/macvlan.rs"]
mod macvlan;
#[path = "kernel/meant.rs"]
mod meant;
// A runtime that tells of pods; its own tests need more of it.
#[allow(dead_code)]
#[path = "nri/mock.rs"]
mod mock;
#[path = "kernel/neighbours.rs"]
mod neighbours;
#[path = "kernel/networks.rs"]
mod networks;
#[path = "kernel/nic_state.rs"]
mod nic_state;
#[path = "kernel/nics.rs"]
mod nics;
#[path = "kernel/older.rs"]
mod older;
#[path = "kernel/ovs.rs"]
mod ovs;
#[path = "kernel/ovs_bridge.rs"]
mod ovs_bridge;
#[path = "kernel/ovs_down.rs"]
mod ovs_down;
#[path = "kernel/ovs_ends.rs"]
mod ovs_ends;
#[path = "kernel/ovs_many.rs"]
mod ovs_many;
#[path = "kernel/ovs_traffic.rs"]
mod ovs_traffic;
#[path = "kernel/ovs_undo.rs"]
mod ovs_undo;
#[path = "kernel/own_procfs.rs"]
mod own_procfs;
#[path = "kernel/parent_down.rs"]
mod parent_down;
#[path = "kernel/pod_card.rs"]
mod pod_card;
#[path = "kernel/policy.rs"]
mod policy;
#[path = "kernel/pools.rs"]
mod pools;
#[path = "kernel/port.rs"]
mod port;
#[path = "kernel/price.rs"]
mod price;
#[path = "kernel/rate.rs"]
mod rate;
#[path = "kernel/records.rs"]
mod records;
#[path = "kernel/refusal.rs"]
mod refusal;
#[path = "kernel/repair.rs"]
mod repair;
#[path = "kernel/routes.rs"]
mod routes;
#[path = "kernel/rules.rs"]
mod rules;
#[path = "kernel/sbr.rs"]
mod sbr;
#[path = "kernel/several.rs"]
mod several;
#[path = "kernel/shapes.rs"]
mod shapes;
#[path = "kernel/sharing.rs"]
mod sharing;
#[path = "kernel/slaac.rs"]
mod slaac;
#[path = "kernel/standstill.rs"]
mod standstill;
mod support;
#[path = "kernel/system_log.rs"]
mod system_log;
#[path = "kernel/taken_back.rs"]
mod taken_back;
#[path = "kernel/tc.rs"]
mod tc;
#[path = "kernel/terminal.rs"]
mod terminal;
#[path = "kernel/told.rs"]
mod told;
#[path = "kernel/traffic.rs"]
mod traffic;
#[path = "kernel/unannotated.rs"]
mod unannotated;
#[path = "kernel/untouched.rs"]
mod untouched;
#[path = "kernel/uplink.rs"]
mod uplink;
#[path = "kernel/uplink_guard.rs"]
mod uplink_guard;
#[path = "kernel/uplink_kill.rs"]
mod uplink_kill;
#[path = "kernel/uplink_links.rs"]
mod uplink_links;
#[path = "kernel/uplink_ovs.rs"]
mod uplink_ovs;
#[path = "kernel/uplink_refusal.rs"]
mod uplink_refusal;
#[path = "kernel/uplink_routes.rs"]
mod uplink_routes;
#[path = "kernel/uplink_traffic.rs"]
mod uplink_traffic;
#[path = "kernel/vf.rs"]
mod vf;
#[path = "kernel/vf_choice.rs"]
mod vf_choice;
#[path = "kernel/vf_rate.rs"]
mod vf_rate;
#[path = "kernel/vlan.rs"]
mod vlan;
#[path = "kernel/vlan_device.rs"]
mod vlan_device;
#[path = "kernel/vlan_kill.rs"]
mod vlan_kill;
#[path = "kernel/wifi.rs"]
mod wifi;
#[path = "kernel/wrapper.rs"]
mod wrapper;
