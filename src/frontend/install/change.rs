//! What is to stand at a path, how it is brought there, and how it is taken out
//! again: the same for every runtime.

use std::fs;
use std::path::{Path, PathBuf};

use super::diff::unified;
use super::edit::{edit, joined, without};
use super::error::InstallError;
use super::files::{self, Found, Owner};
use super::json::Json;
use super::manifest::{Entry, FOLDER, Manifest, Ours, place_of_edited};
use super::podman::calls_another;
use super::setting::Setting;
use super::target::Target;
use super::toml::Toml;

/// What is to be at a path.
#[derive(Debug, Clone)]
pub(super) struct Wish {
    /// For whom.
    pub target: Target,
    /// Where.
    pub path: PathBuf,
    /// What.
    pub content: Content,
}

/// What is to be there.
#[derive(Debug, Clone)]
pub(super) enum Content {
    /// This file, with these permission bits; in the place of another one of the
    /// name, which comes back at the end.
    Whole(Vec<u8>, u32),
    /// A symbolic link to this.
    Link(PathBuf),
    /// These settings among others, in JSON.
    Json(Vec<Setting>),
    /// The same in TOML.
    Toml(Vec<Setting>),
}

/// One path that is going to change, in either direction.
#[derive(Debug, Clone)]
pub(super) struct Step {
    /// Where.
    pub path: PathBuf,
    /// The path under which the manifest has it: since then it may have become a
    /// link.
    pub known_as: PathBuf,
    before: Found,
    after: Found,
    /// What the manifest says afterwards; `None`: nothing any more.
    entry: Option<Entry>,
    /// Where a file that somebody has edited is kept, when all of it was ours.
    is_kept: bool,
}

impl Step {
    /// The bytes that a file is going to hold, for whoever judges them.
    pub fn bytes(&self) -> Option<&[u8]> {
        self.after.bytes()
    }

    /// What changes, as a diff; programs and links in one line.
    pub fn diff(&self) -> String {
        let path = self.path.display();
        let text = |found: &Found| {
            found
                .bytes()
                .map(|b| std::str::from_utf8(b).map(String::from))
        };
        match (
            text(&self.before).transpose(),
            text(&self.after).transpose(),
            &self.after,
        ) {
            (_, _, Found::Link(to)) => format!("link {path} -> {}\n", to.display()),
            (Ok(None), Ok(None), _) => format!("remove {path}\n"),
            (Ok(before), Ok(after), _) => unified(&self.path, before.as_deref(), after.as_deref()),
            (_, _, Found::File { bytes, .. }) => format!("program {path}, {} bytes\n", bytes.len()),
            (_, _, Found::Nothing) => format!("remove {path}\n"),
        }
    }

    /// What was done, in one line.
    pub fn line(&self) -> String {
        let path = self.path.display();
        if self.is_kept {
            let bytes = self.before.bytes().unwrap_or_default();
            let kept = place_of_edited(Path::new(FOLDER), &self.path, bytes);
            let done = match self.after {
                Found::Nothing => "removed",
                Found::Link(_) | Found::File { .. } => "changed",
            };
            return format!(
                "{done} {path}, which was edited: that is in {}",
                kept.display()
            );
        }
        match (&self.before, &self.after) {
            (_, Found::Nothing) => format!("removed {path}"),
            (_, Found::Link(to)) => format!("linked {path} to {}", to.display()),
            (Found::Nothing, Found::File { .. }) => format!("wrote {path}"),
            (Found::File { .. } | Found::Link(_), Found::File { .. }) => format!("changed {path}"),
        }
    }

    /// Does it, written down first.
    pub fn run(&self, manifest: &mut Manifest) -> Result<(), InstallError> {
        let Self {
            path,
            known_as,
            before,
            after,
            entry,
            is_kept,
        } = self;
        if let (Some(bytes), true) = (before.bytes(), entry.is_some()) {
            manifest.keep(bytes)?;
        }
        if let (Some(bytes), true) = (before.bytes(), *is_kept) {
            manifest.keep_edited(path, bytes)?;
        }
        if let Some(entry) = entry {
            if let Some(former) = manifest.at(known_as) {
                // Its first state is kept already.
                let folders = former.folders.clone();
                manifest.put(Entry {
                    folders,
                    ..entry.clone()
                })?;
            } else {
                manifest.put(entry.clone())?;
            }
            files::make_folders(path)?;
        }
        match after {
            Found::Nothing => files::remove(path)?,
            Found::Link(to) => files::link(path, to)?,
            Found::File { bytes, owner } => files::replace(path, bytes, *owner)?,
        }
        if entry.is_none() {
            for folder in manifest
                .at(known_as)
                .into_iter()
                .flat_map(|e| e.folders.iter().rev())
            {
                // Others may have come to use it.
                let _ = fs::remove_dir(folder);
            }
            manifest.forget(known_as)?;
        }
        Ok(())
    }
}

impl Step {
    /// Has the path be what it was before; `former` is what the manifest said of it.
    pub fn take_back(
        &self,
        former: Option<Entry>,
        manifest: &mut Manifest,
    ) -> Result<(), InstallError> {
        let Self {
            path,
            known_as,
            before,
            ..
        } = self;
        match before {
            Found::Nothing => files::remove(path)?,
            Found::Link(to) => files::link(path, to)?,
            Found::File { bytes, owner } => files::replace(path, bytes, *owner)?,
        }
        match former {
            Some(former) => manifest.put(former),
            None => {
                let made = manifest.at(known_as).map(|entry| entry.folders.clone());
                for folder in made.unwrap_or_default().iter().rev() {
                    let _ = fs::remove_dir(folder);
                }
                manifest.forget(known_as)
            }
        }
    }
}

/// What has to be done for a wish; nothing where it is fulfilled.
pub(super) fn step(wish: &Wish, manifest: &Manifest) -> Result<Option<Step>, InstallError> {
    let path = match wish.content {
        // Settings may be kept elsewhere, and their link is not ours to replace.
        Content::Json(_) | Content::Toml(_) => files::real(&wish.path),
        Content::Whole(..) | Content::Link(_) => wish.path.clone(),
    };
    let before = files::look(&path)?;
    // Settings we may know by what has become a link to them.
    let is_behind = |entry: &&Entry| {
        matches!(entry.ours, Ours::Json(_) | Ours::Toml(_)) && files::real(&entry.path) == path
    };
    let behind = || manifest.entries.iter().find(is_behind);
    let prior = manifest.at(&path).or_else(behind);
    let known_as = prior.map_or(&path, |prior| &prior.path).clone();
    let Some((after, ours)) = after(wish, &path, &before, prior)? else {
        return Ok(None);
    };
    let is_edited = prior.is_some_and(|prior| is_edited(prior, &before));
    let first = match prior {
        // What we put into it before is no part of what comes back.
        Some(prior) if is_edited || is_untouched(prior, &before) => prior.before.clone(),
        Some(_) | None => before.bytes().map(files::sum),
    };
    let is_whole = ours == Ours::Whole;
    let entry = Entry {
        target: wish.target,
        ours: joined(prior.map(|prior| &prior.ours), ours),
        before: first,
        after: match is_edited && !is_whole {
            // Never again what we left: then only settings are taken out.
            true => String::new(),
            false => after.bytes().map(files::sum).unwrap_or_default(),
        },
        folders: files::missing_folders(&path),
        path: known_as.clone(),
    };
    Ok(Some(Step {
        known_as,
        path,
        before,
        after,
        entry: Some(entry),
        is_kept: is_edited && is_whole,
    }))
}

/// What is at the path once a wish is fulfilled, and what of it is ours; nothing where
/// it is fulfilled already.
fn after(
    wish: &Wish,
    path: &Path,
    before: &Found,
    prior: Option<&Entry>,
) -> Result<Option<(Found, Ours)>, InstallError> {
    Ok(match &wish.content {
        Content::Whole(bytes, mode) => {
            if files::look(&files::real(path))?.bytes() == Some(bytes) {
                return Ok(None);
            }
            let owner = match before {
                // Whoever links it from elsewhere looks after it there.
                Found::Link(_) => return Err(InstallError::NotRegular(path.to_owned())),
                Found::File { owner, .. } if wish.target != Target::Program => *owner,
                Found::File { .. } | Found::Nothing => Owner::root(*mode),
            };
            let bytes = bytes.clone();
            Some((Found::File { bytes, owner }, Ours::Whole))
        }
        Content::Link(to) if *before == Found::Link(to.clone()) => None,
        Content::Link(to) if leads_to(path, to) => None,
        Content::Link(to) if *before == Found::Nothing => {
            Some((Found::Link(to.clone()), Ours::Link(to.clone())))
        }
        Content::Link(_) => return Err(InstallError::OtherProgram(path.to_owned())),
        Content::Json(settings) => edit::<Json>((path, before), settings, prior)?
            .map(|(after, sets)| (after, Ours::Json(sets))),
        Content::Toml(settings) => edit::<Toml>((path, before), settings, prior)?
            .map(|(after, sets)| (after, Ours::Toml(sets))),
    })
}

fn leads_to(path: &Path, to: &Path) -> bool {
    let (now, meant) = (
        fs::canonicalize(path),
        fs::canonicalize(path.with_file_name(to)),
    );
    matches!((now, meant), (Ok(now), Ok(meant)) if now == meant)
}

/// Whether a path is as we left it.
fn is_untouched(entry: &Entry, now: &Found) -> bool {
    match (&entry.ours, now) {
        (Ours::Link(to), Found::Link(now)) => to == now,
        (_, Found::File { bytes, .. }) => files::sum(bytes) == entry.after,
        (_, Found::Nothing | Found::Link(_)) => false,
    }
}

/// Whether somebody has edited a file since.
fn is_edited(entry: &Entry, now: &Found) -> bool {
    let is_there = matches!(now, Found::File { .. }) && !matches!(entry.ours, Ours::Link(_));
    is_there && !is_untouched(entry, now) && now.bytes().map(files::sum) != entry.before
}

/// How what was done at a path is taken back: to the byte where nobody has edited it
/// since, else only what is ours.
pub(super) fn undo(entry: &Entry, manifest: &Manifest) -> Result<Step, InstallError> {
    let path = match &entry.ours {
        // Whoever keeps them elsewhere now has ours with them.
        Ours::Json(_) | Ours::Toml(_) => files::real(&entry.path),
        Ours::Whole | Ours::Link(_) => entry.path.clone(),
    };
    let before = files::look(&path)?;
    let is_untouched = is_untouched(entry, &before);
    let mut is_kept = false;
    let after = match (&entry.ours, &before) {
        (_, Found::Nothing) => Found::Nothing,
        (Ours::Link(_), Found::Link(_)) if is_untouched => Found::Nothing,
        (Ours::Link(_), _) | (_, Found::Link(_)) => before.clone(),
        (_, Found::File { owner, .. }) if is_untouched => match &entry.before {
            Some(sum) => Found::File {
                bytes: manifest.former(sum)?,
                owner: *owner,
            },
            None => Found::Nothing,
        },
        // A run that was killed between the two.
        (_, Found::File { bytes, .. }) if Some(files::sum(bytes)) == entry.before => before.clone(),
        // Another build of the program is somebody else's.
        (Ours::Whole, Found::File { .. }) if entry.target == Target::Program => before.clone(),
        (Ours::Whole, Found::File { .. }) if calls_another(&before, manifest) => before.clone(),
        (Ours::Whole, Found::File { .. }) => {
            is_kept = true;
            Found::Nothing
        }
        (Ours::Json(sets), Found::File { .. }) => without::<Json>(entry, &before, sets)?,
        (Ours::Toml(sets), Found::File { .. }) => without::<Toml>(entry, &before, sets)?,
    };
    Ok(Step {
        path,
        known_as: entry.path.clone(),
        before,
        after,
        entry: None,
        is_kept,
    })
}
