//! Names of interfaces that depend on what their uplinks are.

use std::borrow::Cow;

use crate::apply::Kernel;
use crate::error::Error;
use crate::host::inspect;
use crate::request::Request;

/// The request with the names that depend on what its uplinks are, and whether all of
/// these were there.
pub(super) async fn named<'a>(
    request: &'a Request,
    kernel: &Kernel<'_>,
) -> Result<(Cow<'a, Request>, bool), Error> {
    if request.named_by_uplink().is_empty() {
        return Ok((Cow::Borrowed(request), true));
    }
    let mut known = request.clone();
    let is_known = inspect::name_by_uplink(&mut known, &kernel.host).await?;
    Ok((Cow::Owned(known), is_known))
}

/// Names those that nothing was known of, in the request and in what is `wanted` of it.
pub(super) async fn name_rest(
    request: &mut Cow<'_, Request>,
    wanted: &mut Request,
    kernel: &Kernel<'_>,
) -> Result<(), Error> {
    let request = request.to_mut();
    let former = request.attachments.clone();
    inspect::name_by_uplink(request, &kernel.host).await?;
    for (former, known) in former.iter().zip(&request.attachments) {
        let mut wanted = wanted.attachments.iter_mut();
        if let Some(wanted) = wanted.find(|wanted| *wanted == former) {
            *wanted = known.clone();
        }
    }
    Ok(())
}
