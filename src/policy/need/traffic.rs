//! What the fields about a port and about traffic need.
//!
//! What only takes something from the container itself, a limit, isolation,
//! the guard, needs no leave; a rule that lists limits insists on one.

use super::{Ask, Need, ask, of};
use crate::policy::Caller;
use crate::request::{Asked, Origin, PortOptions, Rate, Traffic};

/// The needs of both groups.
pub(super) fn needs(port: &PortOptions, traffic: &Traffic, caller: &Caller) -> Vec<Ask> {
    let PortOptions {
        // Takes the container its neighbours, and gives it nothing.
        isolate: _,
        hairpin,
        spoofcheck,
        promisc,
    } = port;
    let Traffic {
        rate_in,
        rate_out,
        burst,
        tc,
    } = traffic;
    let mut out = vec![
        limit(rate_in.as_ref(), Need::RateIn),
        limit(rate_out.as_ref(), Need::RateOut),
    ];
    let rest = [
        of(burst, |burst| Need::Burst(burst.get())),
        of(&switched_on(hairpin), |()| Need::Hairpin),
        of(&switched_on(promisc), |()| Need::Promisc),
        unguarded(spoofcheck.as_ref(), caller),
        tc.first()
            .map(|line| ask(Need::TrafficControl, &line.origin)),
    ];
    out.extend(rest.into_iter().flatten());
    out
}

fn limit(asked: Option<&Asked<Rate>>, need: impl Fn(Option<Rate>) -> Need) -> Ask {
    match asked {
        Some(asked) => ask(need(Some(asked.value)), &asked.origin),
        None => ask(need(None), &Origin::Default),
    }
}

fn switched_on(asked: &Option<Asked<bool>>) -> Option<Asked<()>> {
    let on = asked.as_ref().filter(|asked| asked.value)?;
    Some(Asked {
        value: (),
        origin: on.origin.clone(),
    })
}

/// Pods are guarded unless they ask not to be; for others that is no default.
fn unguarded(asked: Option<&Asked<bool>>, caller: &Caller) -> Option<Ask> {
    let off = asked.filter(|asked| !asked.value && caller.is_guarded())?;
    Some(ask(Need::NoSpoofcheck, &off.origin))
}
