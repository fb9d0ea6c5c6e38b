//! What kind of failure the refusal of a step is.

use crate::apply::{ApplyError, Cause, LeaseError, ProbeError, SlaacError};
use crate::pools::PoolError;
use crate::record::RecordError;
use crate::sys::ovsdb::OvsdbError;
use crate::sys::ovsdb::vswitch::OvsError;
use crate::sys::rtnl::RtnlError;

impl ApplyError {
    /// Whether it was time that ran out.
    pub fn is_deadline(&self) -> bool {
        match &self.cause {
            Cause::Deadline { .. } | Cause::Rtnl(RtnlError::TimedOut { .. }) => true,
            Cause::Record(RecordError::Locked { .. }) => true,
            Cause::Ovs(OvsError::SwitchSlow { .. } | OvsError::Database(OvsdbError::TimedOut)) => {
                true
            }
            Cause::Rtnl(RtnlError::Refused(_) | RtnlError::Broken { .. })
            | Cause::Sysctl(_)
            | Cause::Record(_)
            | Cause::Shared(_)
            | Cause::Probe(_)
            | Cause::Ovs(_)
            | Cause::Nic(_)
            | Cause::File(_)
            | Cause::Slaac(_)
            | Cause::Lease(_)
            | Cause::Pool(_)
            | Cause::MacInUse(_)
            | Cause::IndexTaken { .. }
            | Cause::Config(_) => false,
        }
    }

    /// Whether another host answered for an address.
    pub fn is_address_in_use(&self) -> bool {
        match &self.cause {
            Cause::Probe(ProbeError::InUse { .. }) => true,
            Cause::Lease(error) => matches!(**error, LeaseError::InUse { .. }),
            Cause::Pool(error) => {
                matches!(**error, PoolError::Held(_) | PoolError::HeldUnnamed(_))
            }
            Cause::Slaac(error) => matches!(error, SlaacError::Duplicate { .. }),
            Cause::Probe(_)
            | Cause::Rtnl(_)
            | Cause::Sysctl(_)
            | Cause::Record(_)
            | Cause::Shared(_)
            | Cause::Ovs(_)
            | Cause::Config(_)
            | Cause::Nic(_)
            | Cause::File(_)
            | Cause::MacInUse(_)
            | Cause::IndexTaken { .. }
            | Cause::Deadline { .. } => false,
        }
    }
}
