//! Our own program, where hooks and settings can name it: a folder that root alone
//! may write to, and that is there after the next boot. Started from anywhere else,
//! it is copied.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::change::{Content, Wish};
use super::error::InstallError;
use super::files;
use super::programs::FOLDERS;
use super::target::Target;
use crate::frontend::runtime;

/// Where it is put.
const HOME: &str = "/usr/local/bin/pipework";
/// The program that runs, whatever has become of its name.
const OURSELVES: &str = "/proc/self/exe";

/// Where the program is or will be, and what brings it there.
pub(super) struct Program {
    /// Its path.
    pub path: PathBuf,
    /// The same program as a runtime.
    pub runtime: PathBuf,
    /// What is lacking, if anything.
    pub wishes: Vec<Wish>,
}

/// Finds a place for the program.
pub(super) fn place() -> Result<Program, InstallError> {
    let own = fs::read_link(OURSELVES).map_err(InstallError::io("reading", OURSELVES))?;
    let mut wishes = Vec::new();
    let mut wish = |path: &Path, content| {
        wishes.push(Wish {
            target: Target::Program,
            path: path.to_owned(),
            content,
        });
    };
    let path = match is_at_home(&own) {
        true => own,
        false => {
            let home = PathBuf::from(HOME);
            let bytes = fs::read(OURSELVES).map_err(InstallError::io("reading", &own))?;
            if is_foreign(&home)? {
                return Err(InstallError::OtherProgram(home));
            }
            wish(&home, Content::Whole(bytes, 0o755));
            home
        }
    };
    let runtime = path.with_file_name(runtime::NAME);
    let name = path.file_name().map(PathBuf::from).unwrap_or_default();
    wish(&runtime, Content::Link(name));
    Ok(Program {
        path,
        runtime,
        wishes,
    })
}

fn is_at_home(own: &Path) -> bool {
    let is_usual = own
        .parent()
        .is_some_and(|folder| FOLDERS.iter().any(|usual| folder == Path::new(usual)));
    is_usual && own.exists() && own.ancestors().all(is_roots_alone)
}

/// Whether only root can change it.
fn is_roots_alone(path: &Path) -> bool {
    let meta = fs::symlink_metadata(path);
    meta.is_ok_and(|meta| meta.uid() == 0 && meta.mode() & 0o022 == 0)
}

/// A script of our name is somebody else's; another release is replaced, and comes
/// back at the end.
fn is_foreign(path: &Path) -> Result<bool, InstallError> {
    let found = files::look(path)?;
    Ok(match found {
        files::Found::Nothing => false,
        files::Found::Link(_) => true,
        files::Found::File { bytes, .. } => !bytes.starts_with(b"\x7fELF"),
    })
}
