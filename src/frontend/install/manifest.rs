//! What was installed, in /var/lib/pipework/install: per file what is ours in it,
//! what it was before, and what it was when we left it. Written before the file is.

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

use super::error::InstallError;
use super::files::{self, Found, Owner};
use super::setting::Set;
use super::target::Target;

/// Where it is; the folder is root's alone.
pub(super) const FOLDER: &str = "/var/lib/pipework/install";
/// The version of its form.
const VERSION: u32 = 1;
/// Digits of a sum that tell one edit of a file from another.
const SUM_SHOWN: usize = 8;

/// What is ours at a path.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Ours {
    /// All of the file.
    Whole,
    /// A symbolic link to this.
    Link(PathBuf),
    /// Settings in JSON.
    Json(Vec<Set>),
    /// Settings in TOML.
    Toml(Vec<Set>),
}

/// What was done at one path.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// For whom.
    pub target: Target,
    /// Where.
    pub path: PathBuf,
    /// What of it is ours.
    pub ours: Ours,
    /// The sum of what it was, under which that is kept; none where there was no file.
    pub before: Option<String>,
    /// The sum of what we left.
    pub after: String,
    /// Folders that were made for it, the outermost first.
    pub folders: Vec<PathBuf>,
}

/// Whom a runtime calls that reads no settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Calls {
    /// Us, where its user says so.
    Us,
    /// Nobody of ours.
    NobodyOfOurs,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    version: u32,
    entries: Vec<Entry>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    callers: Vec<Target>,
}

/// All of it.
#[derive(Debug)]
pub(super) struct Manifest {
    folder: PathBuf,
    /// In the order in which it was done.
    pub entries: Vec<Entry>,
    /// Who calls our program by its name, with no setting of theirs.
    callers: Vec<Target>,
    /// Nobody else installs meanwhile; not held by who only looks.
    lock: Option<Flock<fs::File>>,
}

impl Manifest {
    /// What is there, for who changes nothing.
    pub fn look(folder: &Path) -> Result<Self, InstallError> {
        Self::read(folder, None)
    }

    /// The same for who does, made if need be. Fails if somebody else is at it.
    pub fn open(folder: &Path) -> Result<Self, InstallError> {
        let io = || InstallError::io("making", folder);
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o755);
        if let Some(outer) = folder.parent() {
            builder.create(outer).map_err(io())?;
        }
        let before = folder.join("before");
        builder.mode(0o700).create(&before).map_err(io())?;
        let path = folder.join("lock");
        let file = fs::File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(InstallError::io("opening", &path))?;
        let lock = Flock::lock(file, FlockArg::LockExclusiveNonblock)
            .map_err(|(_, errno)| InstallError::io("locking", &path)(errno.into()))?;
        Self::read(folder, Some(lock))
    }

    fn read(folder: &Path, lock: Option<Flock<fs::File>>) -> Result<Self, InstallError> {
        let path = Self::path(folder);
        let (entries, callers) = match files::look(&path)? {
            Found::File { bytes, .. } => stored(&path, &bytes)?,
            Found::Nothing | Found::Link(_) => (Vec::new(), Vec::new()),
        };
        Ok(Self {
            folder: folder.to_owned(),
            entries,
            callers,
            lock,
        })
    }

    fn path(folder: &Path) -> PathBuf {
        folder.join("manifest.json")
    }

    /// Whether nothing is installed.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.callers.is_empty()
    }

    /// Whether `target` calls our program by its name.
    pub fn has_caller(&self, target: Target) -> bool {
        self.callers.contains(&target)
    }

    /// Who else than these still needs our program.
    pub fn is_needed_beside(&self, targets: &[Target]) -> bool {
        let users = self.entries.iter().map(|entry| &entry.target);
        let mut users = users.chain(&self.callers);
        users.any(|user| *user != Target::Program && !targets.contains(user))
    }

    /// Notes whether `target` calls our program by its name.
    pub fn set_caller(&mut self, target: Target, calls: Calls) -> Result<(), InstallError> {
        self.callers.retain(|caller| *caller != target);
        if calls == Calls::Us {
            self.callers.push(target);
        }
        self.save()
    }

    /// What was done at `path`.
    pub fn at(&self, path: &Path) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.path == path)
    }

    /// Writes down what is about to be done, in the place of what was known of that
    /// path.
    pub fn put(&mut self, entry: Entry) -> Result<(), InstallError> {
        match self.entries.iter_mut().find(|e| e.path == entry.path) {
            Some(old) => *old = entry,
            None => self.entries.push(entry),
        }
        self.save()
    }

    /// Forgets what was taken back.
    pub fn forget(&mut self, path: &Path) -> Result<(), InstallError> {
        self.entries.retain(|entry| entry.path != path);
        self.save()
    }

    /// Keeps what a file was; the name under which [`former`](Self::former) finds it.
    pub fn keep(&self, bytes: &[u8]) -> Result<String, InstallError> {
        let sum = files::sum(bytes);
        files::replace(&self.place_of(&sum), bytes, Owner::root(0o600))?;
        Ok(sum)
    }

    /// Keeps what somebody has made of a file of ours, for him to find.
    pub fn keep_edited(&self, path: &Path, bytes: &[u8]) -> Result<(), InstallError> {
        let place = place_of_edited(&self.folder, path, bytes);
        files::make_folders(&place)?;
        files::replace(&place, bytes, Owner::root(0o600))
    }

    /// What a file was.
    pub fn former(&self, sum: &str) -> Result<Vec<u8>, InstallError> {
        let path = self.place_of(sum);
        match files::look(&path)? {
            Found::File { bytes, .. } if files::sum(&bytes) == sum => Ok(bytes),
            _ => Err(InstallError::NotRegular(path)),
        }
    }

    fn place_of(&self, sum: &str) -> PathBuf {
        // It is read from a file: only what we make names of is one.
        let name: String = sum.chars().filter(char::is_ascii_hexdigit).collect();
        self.folder.join("before").join(name)
    }

    fn save(&self) -> Result<(), InstallError> {
        let stored = Stored {
            version: VERSION,
            entries: self.entries.clone(),
            callers: self.callers.clone(),
        };
        let path = Self::path(&self.folder);
        let text = serde_json::to_string_pretty(&stored)
            .map_err(|e| InstallError::io("writing", &path)(e.into()))?;
        files::replace(&path, text.as_bytes(), Owner::root(0o600))
    }

    /// With nothing installed there is nothing to know; a folder that is not empty
    /// stays.
    fn clear(&self) {
        let before = self.folder.join("before");
        let kept = fs::read_dir(&before).into_iter().flatten().flatten();
        for entry in kept {
            let _ = fs::remove_file(entry.path());
        }
        let _ = fs::remove_dir(before);
        let _ = fs::remove_file(Self::path(&self.folder));
        let _ = fs::remove_file(self.folder.join("lock"));
        for folder in self.folder.ancestors().take(2) {
            let _ = fs::remove_dir(folder);
        }
    }
}

/// Where an edited file of ours is kept, whatever is taken out later: each edit
/// beside those before it.
pub(super) fn place_of_edited(folder: &Path, path: &Path, bytes: &[u8]) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let sum = files::sum(bytes);
    let part = sum.get(..SUM_SHOWN).unwrap_or(&sum);
    folder.join("edited").join(format!("{name}.{part}"))
}

impl Drop for Manifest {
    fn drop(&mut self) {
        if self.lock.is_some() && self.is_empty() {
            self.clear();
        }
    }
}

fn stored(path: &Path, bytes: &[u8]) -> Result<(Vec<Entry>, Vec<Target>), InstallError> {
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    let malformed = |error: serde_json::Error| InstallError::Malformed {
        path: path.to_owned(),
        line: error.line(),
        column: error.column(),
        what: error.to_string(),
    };
    let Version { version } = serde_json::from_slice(bytes).map_err(malformed)?;
    if version > VERSION {
        return Err(InstallError::Later(path.to_owned()));
    }
    let stored: Stored = serde_json::from_slice(bytes).map_err(malformed)?;
    Ok((stored.entries, stored.callers))
}
