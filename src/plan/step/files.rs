//! Steps that write the files by which a container finds names.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Undo;
use crate::rt::{ContainerFile, FilePlace};

/// Writing one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileStep {
    /// Which one.
    pub file: ContainerFile,
    /// Where it is.
    pub place: FilePlace,
    /// What stood in it; `None` when it is made.
    pub former: Option<String>,
    /// What shall stand in it.
    pub text: String,
}

/// Puts back what stood in such a file, unless somebody edited it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileUndo {
    /// Which one.
    pub file: ContainerFile,
    /// Where it is.
    pub place: FilePlace,
    /// What stood in it; `None` when we made it.
    pub former: Option<String>,
    /// What we wrote; `None` in a record of before it was kept there.
    #[serde(default)]
    pub written: Option<String>,
}

impl FileStep {
    /// What takes it back.
    pub fn undo(&self) -> Undo {
        Undo::File(FileUndo {
            file: self.file,
            place: self.place.clone(),
            former: self.former.clone(),
            written: Some(self.text.clone()),
        })
    }
}

impl fmt::Display for FileStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "writing {} in {}", self.file, self.place)
    }
}

impl fmt::Display for FileUndo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the former {} in {}", self.file, self.place)
    }
}
