//! Rules that are right by form, and cannot mean what they say.

use super::criterion::Criterion;

/// Why a rule cannot mean what its author thinks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RuleFlaw {
    /// An allow rule that does not say for whom or where.
    #[error("an allow rule must list {}; \"any\" means all", .0.key())]
    Unlimited(Criterion),
    /// A deny rule that can match nothing.
    #[error("a deny rule with this {} would never match", .0.key())]
    NeverMatches(Criterion),
    /// A deny rule with a limit, which says nothing there.
    #[error("count is a limit of allow rules")]
    CountInDeny,
    /// A deny rule that gives something.
    #[error("{0} is what an allow rule grants")]
    GrantInDeny(&'static str),
    /// Every port of a bridge, those of other containers too.
    #[error("uplink-ports lists the ports that lead out of this host; \"any\" would be every one")]
    AnyUplinkPort,
    /// Whatever somebody has put somewhere under one of three names.
    #[error("dhcp-programs lists paths; \"any\" would run whatever bears such a name")]
    AnyProgram,
}
