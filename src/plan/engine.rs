//! What may not be left open where an engine gives the container a network of its
//! own behind us, as podman does where it maps ids.
//!
//! It names its interfaces from `eth0` on, and adds a default route of its own
//! beside ours: which of both counts is for the user to say.

use super::{PlanError, Planner};
use crate::request::Attachment;

/// The name of an engine's first interface.
pub const ENGINES_IFNAME: &str = "eth0";

impl Planner<'_> {
    /// Fails where the engine's own interface could not be made any more, or a
    /// gateway is asked for and nobody says whether it shall be the default route.
    pub(super) fn check_engine(&self, attachment: &Attachment) -> Result<(), PlanError> {
        if !self.view.namespace.engine_follows {
            return Ok(());
        }
        let ifname = &attachment.ifname;
        if ifname.value.as_str() == ENGINES_IFNAME {
            return Err(PlanError::NameOfEngine {
                ifname: ifname.value.clone(),
                origin: ifname.origin.clone(),
            });
        }
        let addressing = &attachment.addressing;
        let four = addressing.gateway4.as_ref().map(|asked| &asked.origin);
        let six = addressing.gateway6.as_ref().map(|asked| &asked.origin);
        let learned = addressing.dynamic.first().map(|asked| &asked.origin);
        match four.or(six).or(learned) {
            Some(origin) if addressing.default.is_none() => Err(PlanError::DefaultBeforeEngine {
                origin: origin.clone(),
            }),
            Some(_) | None => Ok(()),
        }
    }
}
