//! Writes the files by which a container finds names, and puts back what
//! stood in them.

use super::Cause;
use crate::plan::{FileStep, FileUndo};
use crate::rt::is_sealed;
use crate::sys::files::{self, FileFault};

/// Writes one of them.
pub(super) fn once(step: &FileStep) -> Result<(), Cause> {
    let FileStep {
        file,
        place,
        former,
        text,
    } = step;
    Ok(files::replace(*file, place, former.as_deref(), text)?)
}

/// Puts back what stood in it. One that is gone went with its container, and
/// one that was edited is its editor's.
pub(super) fn take_back(undo: &FileUndo) -> Result<(), FileFault> {
    let FileUndo {
        file,
        place,
        former,
        written,
    } = undo;
    // A later life of the container may have written one of its own.
    let is_this = |present: &String| written.as_ref().is_none_or(|text| text == present);
    let present = match files::read(*file, place) {
        Ok(Some(present)) if is_sealed(&present) && is_this(&present) => present,
        // Whatever is there by now, it is nothing of ours.
        Ok(_) | Err(_) => return Ok(()),
    };
    match former {
        Some(former) => files::replace(*file, place, Some(&present), former),
        None => files::remove(*file, place),
    }
}
