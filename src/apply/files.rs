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
/// one that was edited is its editor's; one that was half written when a run that is
/// `half_made` ended is ours.
pub(super) fn take_back(undo: &FileUndo, half_made: bool) -> Result<(), FileFault> {
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
        is_whole || half_made && is_half_written(present, written.as_deref(), former.as_deref())
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

/// Whether a run ended while it wrote the one text over the other, or had just made
/// the file: the kernel may take part of a text that is longer than a page, and the
/// file is cut behind it afterwards (`files::replace`).
fn is_half_written(present: &str, written: Option<&str>, former: Option<&str>) -> bool {
    match (written, former) {
        (Some(written), Some(former)) => {
            is_over(written, former, present) || is_over(former, written, present)
        }
        (Some(written), None) => present != written && written.starts_with(present),
        (None, _) => false,
    }
}

/// Whether `present` is the beginning of `above`, and `below` behind it; and neither
/// as a whole.
fn is_over(above: &str, below: &str, present: &str) -> bool {
    let same = above.bytes().zip(present.bytes());
    let same = same.take_while(|(above, present)| above == present).count();
    let is_whole = present == above || present == below;
    let behind = present.as_bytes().get(same..);
    same > 0 && !is_whole && behind == Some(below.as_bytes().get(same..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_was_not_cut_behind_ours_or_the_former_is_half_written() {
        let is_half = |present| is_half_written(present, Some("ours"), Some("the former"));
        assert!(is_half("oursformer"));
        assert!(is_half("oue former") && is_half("the for") && !is_half("out former"));
        assert!(!is_half("ours") && !is_half("the former") && !is_half("ours, edited"));
        let is_half = |present| is_half_written(present, Some("ours, at length"), Some("former"));
        assert!(is_half("formerat length") && is_half("ours, at") && is_half("form, at length"));
        assert!(!is_half("former") && !is_half("former, edited"));
    }

    #[test]
    fn a_file_that_was_just_made_is_half_written_until_all_is_in_it() {
        assert!(is_half_written("", Some("ours"), None));
        assert!(is_half_written("ou", Some("ours"), None));
        assert!(!is_half_written("ours", Some("ours"), None));
        assert!(!is_half_written("theirs", Some("ours"), None));
        // Records of former releases do not say what was written.
        assert!(!is_half_written("", None, None));
    }
}
