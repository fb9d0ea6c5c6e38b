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
/// one that was edited is its editor's; one that was half written when a run was
/// killed is ours.
pub(super) fn take_back(undo: &FileUndo) -> Result<(), FileFault> {
    let FileUndo {
        file,
        place,
        former,
        written,
    } = undo;
    // A later life of the container may have written one of its own.
    let is_this = |present: &str| written.as_deref().is_none_or(|text| text == present);
    let is_ours = |present: &str| {
        let is_whole = is_sealed(present) && is_this(present);
        is_whole || is_half_written(present, written.as_deref(), former.as_deref())
    };
    let present = match files::read(*file, place) {
        Ok(Some(present)) if is_ours(&present) => present,
        // Whatever is there by now, it is nothing of ours.
        Ok(_) | Err(_) => return Ok(()),
    };
    match former {
        Some(former) => files::replace(*file, place, Some(&present), former),
        None => files::remove(*file, place),
    }
}

/// Whether a run was killed while it wrote the one text over the other, or had
/// just made the file: the kernel takes the text of a write at once, and the file
/// is cut behind it afterwards (`files::replace`).
fn is_half_written(present: &str, written: Option<&str>, former: Option<&str>) -> bool {
    let is_uncut = |above: &str, below: &str| {
        let tail = below.as_bytes().get(above.len()..);
        let rest = present.as_bytes().strip_prefix(above.as_bytes());
        rest.is_some_and(|rest| !rest.is_empty() && tail == Some(rest))
    };
    match (written, former) {
        (Some(written), Some(former)) => is_uncut(written, former) || is_uncut(former, written),
        (Some(_), None) => present.is_empty(),
        (None, _) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_was_not_cut_behind_ours_or_the_former_is_half_written() {
        let is_half = |present| is_half_written(present, Some("ours"), Some("the former"));
        assert!(is_half("oursformer"));
        assert!(!is_half("ours") && !is_half("the former") && !is_half("ours, edited"));
        let is_half = |present| is_half_written(present, Some("ours, at length"), Some("former"));
        assert!(is_half("formerat length"));
        assert!(!is_half("former") && !is_half("former, edited"));
    }

    #[test]
    fn a_file_that_was_just_made_is_half_written_while_it_is_empty() {
        assert!(is_half_written("", Some("ours"), None));
        assert!(!is_half_written("theirs", Some("ours"), None));
        // Records of former releases do not say what was written.
        assert!(!is_half_written("", None, None));
    }
}
