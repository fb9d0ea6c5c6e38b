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
        (
            Self::Usage,
            "the command line is wrong; doctor: there is an error; the classic form: the kernel refused",
        ),
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

    /// A paragraph for whoever met this code, without line breaks.
    pub fn paragraph(self) -> &'static str {
        match self {
            Self::Usage => {
                "Words of the command line are not of any form that there is; nothing was done. For \
                 `doctor` it is an error found; for the shell script's form the kernel's refusal."
            }
            Self::Request => {
                "What is asked for is wrong by itself, on any host: a key that does not exist, a value \
                 that cannot be read, two keys that contradict each other, or a container that shares \
                 a namespace and asks for other settings than the one before it. Nothing was changed. \
                 The report names the annotation and what was meant, if that is clear; `pipework keys \
                 FIELD` explains one, `pipework plan --annotation …` tries without a container."
            }
            Self::State => {
                "The runtime gave the hook no state that can be read (it is JSON by the OCI runtime \
                 specification, 4 MiB at most), or called it for a stage that is not one of ours. \
                 Nothing was changed. Usually a file of hooks was written by hand: its arguments are \
                 `hook --stage createRuntime` or `hook --stage poststop`."
            }
            Self::Policy => {
                "/etc/pipework/policy.toml has no rule that allows this, or cannot be read as a whole; \
                 then it allows nothing. For pods nothing is allowed until a rule says so. Nothing was \
                 changed. The report names the rule, or the line and column, and what was not allowed."
            }
            Self::Rootless => {
                "The runtime runs as an ordinary user, who may not change the network of the host. \
                 Nothing was changed. Start the container as root; --uidmap or userns=auto keep its \
                 own root apart."
            }
            Self::HostNetwork => {
                "The container has the network of the host, so that its interface would be the \
                 host's. Nothing was changed. Give it a namespace of its own: --network none."
            }
            Self::NoProcess => {
                "There is no process whose network namespace could be entered: the container has been \
                 created but not started, has ended meanwhile, or is not found under that name. \
                 Nothing was changed."
            }
            Self::Refused => {
                "The kernel, Open vSwitch or a file refused a step. What had been done before it was \
                 taken back; the report has the step and the kernel's own words. `pipework doctor` knows \
                 the usual reasons."
            }
            Self::RollbackIncomplete => {
                "A step was refused, and of what had been done before, something could not be taken \
                 back; the report names it. Its record stays, so that `pipework gc`, the next start or \
                 the daemon tries again. Look at `pipework check` before you remove anything by hand."
            }
            Self::Deadline => {
                "Time ran out before all was there: 45 s for the hook, which the runtime would kill after \
                 60. All was taken back. Something waits that should not: another run that holds a lock, \
                 the kernel (a process in state D), Open vSwitch. The report says what was waited for."
            }
            Self::Host => {
                "The request is sound, but this host does not suit it: no such uplink, another kind of \
                 device, a name, VLAN or MAC that is taken, a feature that the kernel lacks, or a file \
                 of the host that cannot be read. Nothing was changed. `pipework doctor` says what is \
                 missing, `pipework list` who has what."
            }
            Self::Record => {
                "The records below /run/pipework cannot be written or read, and without a record \
                 nothing is changed, because nobody could take it back. The file system may be full or \
                 read-only, the folder may belong to somebody else, or a newer release has written \
                 there; the report names the file."
            }
            Self::AddressInUse => {
                "Another host answers for the address that was asked for. All was taken back. The report \
                 names its MAC; `dad=arp` asked for this question, or the kernel's own detection for \
                 IPv6 found it."
            }
            Self::NoLease => {
                "No server or router gave an address within the time that `dhcp.timeout` allows, a pool \
                 is empty, or no daemon runs that would renew the lease. All was taken back. The report \
                 says how far it got: no offer, refused by whom, or in use by which MAC."
            }
        }
    }
}
