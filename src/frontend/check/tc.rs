//! Lines of traffic control, held against what they made.

use super::lost::Lost;
use super::settings::{Now, kernel};
use crate::error::Error;
use crate::record::{AttachmentRecord, Setting};
use crate::request::TcLine;
use crate::request::tc::TcObject;

/// The lines of which nothing is there any more; one that this release does not
/// understand is left alone.
pub async fn lost(attachment: &AttachmentRecord, now: &Now<'_>) -> Result<Vec<Lost>, Error> {
    let texts = attachment.settings.iter().filter_map(|setting| {
        let Setting::Tc { line } = setting else {
            return None;
        };
        Some(line)
    });
    let lines: Vec<TcLine> = texts.filter_map(|line| line.parse().ok()).collect();
    if lines.is_empty() {
        return Ok(Vec::new());
    }
    let objects: Vec<TcObject> = lines.iter().map(|line| line.object.clone()).collect();
    let ifindex = now.link.ifindex;
    let held = now.guest.tc_held(ifindex, &objects).await;
    let mut held = held.map_err(kernel)?;
    let gone = lines.into_iter().filter(|line| !held.find(&line.object));
    let gone: Vec<TcLine> = gone.collect();
    let gone = gone.into_iter().map(|line| Lost::Tc {
        ifindex,
        has_its_place: held.has_its_place_for(&line.object),
        line: Box::new(line),
    });
    Ok(gone.collect())
}
