//! Who has addresses that nobody else gets in a network: those of its containers,
//! and of whoever has any on the same uplink by another network or by none.

use std::time::Duration;

use crate::deadline::Deadline;
use crate::error::Error;
use crate::frontend::read;
use crate::host::inspect::{VfChoice, inspect};
use crate::logging::to_stderr;
use crate::plan;
use crate::policy::Caller;
use crate::pools::{PoolError, Pools};
use crate::request::Profile;
use crate::rt::{Claim, PoolName};
use crate::sys::block_on;
use crate::sys::rtnl::Rtnl;

/// How long to look at the uplink.
const TIME: Duration = Duration::from_secs(10);

/// An address that somebody has.
pub(super) struct Held {
    /// Whose, and what for.
    pub claim: Claim,
    /// It is of a container of the network itself.
    pub in_network: bool,
}

/// What is held in a network and on its uplink, in order.
pub(super) fn held(profile: &Profile) -> Result<Vec<Held>, PoolError> {
    let pools = Pools::of_this_host();
    let own = pools.held(&PoolName::of_network(&profile.name))?;
    // Whoever cannot ask about the uplink knows the network's own all the same.
    let of_uplink = match pool_of_uplink(profile) {
        Ok(Some(pool)) => pools.held(&pool)?,
        Ok(None) => Vec::new(),
        Err(error) => {
            to_stderr(&format!(
                "pipework: what others hold on its uplink is not known: {error}"
            ));
            Vec::new()
        }
    };
    let is_own = |claim: &Claim| {
        let mut own = own.iter();
        own.any(|own| (own.address, &own.owner) == (claim.address, &claim.owner))
    };
    let others: Vec<Claim> = of_uplink.into_iter().filter(|c| !is_own(c)).collect();
    let of = |in_network| move |claim| Held { claim, in_network };
    let all = own.into_iter().map(of(true));
    let mut all: Vec<Held> = all.chain(others.into_iter().map(of(false))).collect();
    all.sort_by_key(|held| held.claim.address);
    Ok(all)
}

/// The pool of the uplink as it is now; `None` where there is none.
fn pool_of_uplink(profile: &Profile) -> Result<Option<PoolName>, Error> {
    let said = profile.of_uplink();
    let said = said.map(|field| (field.key.as_str(), field.value.as_str()));
    let Some(request) = read::request(said, &Caller::Person)? else {
        return Ok(None);
    };
    let attachments = &request.attachments;
    let choice = VfChoice::for_all(attachments);
    let looked = block_on(async {
        let host = Rtnl::open(Deadline::after(TIME)).map_err(Error::Socket)?;
        Ok::<_, Error>(inspect(attachments, &host, None, &choice).await?)
    });
    let view = looked.map_err(Error::Socket)??;
    let both = attachments.first().zip(view.uplinks.first());
    Ok(both.and_then(|(attachment, view)| plan::pool_of_uplink(attachment, view)))
}
