//! What may not be left open where an engine gives the container a network of its
//! own behind us, as podman does where it maps ids.
//!
//! It names its interfaces from `eth0` on, and adds a default route of its own
//! beside ours: which of both counts is for the user to say.
//!
//! Docker connects a container that runs to further networks. Each time it sets
//! its default route anew, and fails where another without a metric is there; nor
//! does it take a network that a route covers, as half of everything would. So ours
//! is in a table of its own, which is looked up before the default route of the main
//! one, and behind all else that is there.

use super::routing::{MAIN, own_table};
use super::step::RoutingStep;
use super::{PlanError, Planner, Step};
use crate::request::{Attachment, Origin, Selector};
use crate::rt::Rule;

/// The name of an engine's first interface.
pub const ENGINES_IFNAME: &str = "eth0";

/// The place of the first rule; each interface has two of its own. Behind those of
/// `sbr`, before `main` (32766).
const ENGINE_RULES: u32 = 26_000;
/// As many interfaces of a namespace have a place.
const PLACES: u32 = 2_000;

impl Planner<'_> {
    /// The table of an interface's default route, where it may not be in the main
    /// one: there is an engine that connects, and nobody gave it a metric.
    pub(super) fn default_table(&self, ifindex: u32, metric: Option<u32>) -> Option<u32> {
        let connects = self.view.namespace.engine_connects && metric.is_none();
        connects.then(|| own_table(ifindex))
    }

    /// The rules by which `table` is looked up: first the main one but for its
    /// default route, then this one.
    pub(super) fn before_the_engines(
        &mut self,
        (place, ifindex): (usize, u32),
        (table, v6): (u32, bool),
        origin: &Origin,
    ) {
        let first = ENGINE_RULES + ifindex % PLACES * 2;
        let rules = [(MAIN, first, Some(0)), (table, first + 1, None)];
        for (table, priority, suppress_prefixlength) in rules {
            let rule = Rule {
                selector: Selector::default(),
                v6,
                table,
                priority,
                suppress_prefixlength,
            };
            self.push(
                Some(place),
                Step::Routing(RoutingStep::AddRule(rule)),
                origin,
            );
        }
    }

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
