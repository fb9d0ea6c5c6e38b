//! The files by which the container finds names: looked at before they are
//! planned, and only where they may matter.

use crate::apply::Kernel;
use crate::error::Error;
use crate::host::container::Sandbox;
use crate::host::inspect::{InspectError, look_at_files};
use crate::host::view::FilesView;
use crate::plan::{self, Plan};
use crate::request::Request;

/// Adds the steps for the files, where nothing has to be learned first.
pub(super) async fn write_files(
    plan: &mut Plan,
    request: &Request,
    sandbox: &Sandbox,
    kernel: &Kernel<'_>,
) -> Result<(), Error> {
    let attachments = &request.attachments;
    if plan::knows_names(attachments)
        && let Some(view) = look(request, sandbox, kernel).await?
    {
        plan.write_files(attachments, &view)?;
    }
    Ok(())
}

/// The files, where somebody asked for something in them or ours are the
/// container's only interfaces.
pub(super) async fn look(
    request: &Request,
    sandbox: &Sandbox,
    kernel: &Kernel<'_>,
) -> Result<Option<FilesView>, Error> {
    let mut attachments = request.attachments.iter();
    let is_asked = attachments.any(|a| plan::asks_for_names(a).is_some());
    let is_ours = |name: &str| {
        let mut attachments = request.attachments.iter();
        attachments.any(|attachment| attachment.ifname.value.as_str() == name)
    };
    let links = kernel.guest.links().await;
    let links = links.map_err(|e| Error::from(InspectError::from(e)))?;
    // Tunnels of the kernel's own are in every namespace, and down.
    let mut others = links.iter().filter(|link| link.up && link.name != "lo");
    let is_alone = others.all(|link| is_ours(&link.name));
    let matters = is_asked || is_alone;
    Ok(matters.then(|| look_at_files(&sandbox.id, &sandbox.bundle, is_alone)))
}
