//! What is known of the files by which a container finds names.

use crate::rt::{ContainerFile, FilePlace};

/// Where such a file is and what stands in it, or why it is left alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileView {
    /// It may be written.
    Writable {
        /// Where.
        place: FilePlace,
        /// What stands in it; `None` when it would be made.
        text: Option<String>,
    },
    /// It may not.
    LeftAlone {
        /// Why, as a sentence's part that begins with what is in the way.
        reason: String,
    },
}

/// Both files, and what decides whether they are written unasked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilesView {
    /// /etc/resolv.conf.
    pub resolv: FileView,
    /// /etc/hosts.
    pub hosts: FileView,
    /// The container had no interface but `lo` before us.
    pub is_alone: bool,
    /// Its root is mounted read-only: what is in there is not its own.
    pub is_read_only: bool,
    /// Its host name, if its runtime sets one.
    pub hostname: Option<String>,
}

impl FilesView {
    /// The view of one of them.
    pub fn of(&self, file: ContainerFile) -> &FileView {
        match file {
            ContainerFile::Resolv => &self.resolv,
            ContainerFile::Hosts => &self.hosts,
        }
    }

    /// Whether a file is written that nobody asked for: what the engine keeps for
    /// this one container is, and what is in a root that it may change.
    pub fn is_its_own(&self, file: ContainerFile) -> bool {
        match self.of(file) {
            FileView::Writable {
                place: FilePlace::Engine { .. },
                ..
            } => true,
            FileView::Writable {
                place: FilePlace::Root { .. },
                ..
            } => !self.is_read_only,
            FileView::LeftAlone { .. } => false,
        }
    }
}
