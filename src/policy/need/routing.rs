//! What rules, neighbours, `sbr` and `dad` need.

use super::{Ask, Need, ask, of};
use crate::request::neighbour::NeighbourEntry;
use crate::request::{Asked, Dad, Neighbour, Routing};

/// Everything that the group asks for.
pub(super) fn of_routing(routing: &Routing, out: &mut Vec<Ask>) {
    let Routing {
        rules,
        neighbours,
        sbr,
        dad,
    } = routing;
    // Which rules does not matter: all of them choose among tables of the
    // container's own namespace.
    out.extend(rules.iter().map(|rule| ask(Need::Rules, &rule.origin)));
    for Asked { value, origin } in neighbours {
        let Neighbour { address, entry } = value;
        out.push(ask(Need::Neighbour(*address), origin));
        match entry {
            NeighbourEntry::Permanent(_) => {}
            // Who answers for an address has it, as far as others can tell.
            NeighbourEntry::Proxy => out.push(ask(Need::Address(*address), origin)),
        }
    }
    // `false` and `off` repeat the defaults.
    out.extend(of(&sbr.clone().filter(|sbr| sbr.value), |_| {
        Need::SourceBased
    }));
    let probe = dad.as_ref().and_then(|asked| match asked.value {
        Dad::Off => None,
        Dad::Arp { ms } => Some(ask(Need::Dad(ms.into()), &asked.origin)),
    });
    out.extend(probe);
}
