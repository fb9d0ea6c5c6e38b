//! What the process exits with, and what each code means.

/// Exit codes, which are part of the interface: crun shows nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// The command line is wrong.
    Usage = 2,
    /// What was asked is wrong by itself.
    Request = 10,
    /// The runtime's state could not be read, or the stage is not ours.
    State = 11,
    /// Policy forbids it, or the policy file is broken.
    Policy = 12,
    /// The runtime is rootless.
    Rootless = 13,
    /// The container uses the host's network.
    HostNetwork = 14,
    /// The container has no process that could be configured.
    NoProcess = 15,
    /// The kernel refused a step; everything before it was taken back.
    Refused = 16,
    /// The same, but something could not be taken back.
    RollbackIncomplete = 17,
    /// The deadline passed; everything was taken back.
    Deadline = 18,
    /// The uplink or the host does not suit.
    Host = 19,
    /// The records could not be kept.
    Record = 20,
    /// Another host has the address; everything was taken back.
    AddressInUse = 21,
    /// No server gave an address; everything was taken back.
    NoLease = 22,
}

impl ExitCode {
    /// Its name where codes are counted.
    pub fn name(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::Request => "request",
            Self::State => "state",
            Self::Policy => "policy",
            Self::Rootless => "rootless",
            Self::HostNetwork => "host-network",
            Self::NoProcess => "no-process",
            Self::Refused => "refused",
            Self::RollbackIncomplete => "rollback-incomplete",
            Self::Deadline => "deadline",
            Self::Host => "host",
            Self::Record => "record",
            Self::AddressInUse => "address-in-use",
            Self::NoLease => "no-lease",
        }
    }

    /// Every code with its meaning, for the documentation.
    pub const TABLE: [(ExitCode, &'static str); 14] = [
        (Self::Usage, "the command line is wrong"),
        (
            Self::Request,
            "an annotation is wrong: unknown key, bad value, contradiction",
        ),
        (
            Self::State,
            "the runtime's state cannot be read, or the stage is not one of ours",
        ),
        (
            Self::Policy,
            "policy does not allow it, or the policy file is broken",
        ),
        (Self::Rootless, "the runtime is rootless"),
        (
            Self::HostNetwork,
            "the container uses the network of the host",
        ),
        (
            Self::NoProcess,
            "the container has no process whose namespace could be entered",
        ),
        (
            Self::Refused,
            "the kernel refused a step; everything was taken back",
        ),
        (
            Self::RollbackIncomplete,
            "the kernel refused a step, and something could not be taken back",
        ),
        (
            Self::Deadline,
            "the deadline passed; everything was taken back",
        ),
        (Self::Host, "the uplink or the host does not suit"),
        (
            Self::Record,
            "the records below /run/pipework cannot be kept",
        ),
        (
            Self::AddressInUse,
            "another host has the address; everything was taken back",
        ),
        (
            Self::NoLease,
            "no server or router gave an address, or nobody would renew it; everything was taken back",
        ),
    ];
}
