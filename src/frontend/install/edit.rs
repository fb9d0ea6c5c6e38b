//! Settings of ours in a file of somebody else's: put in, changed after a former
//! run, and taken out, whatever the file's form is.

use std::path::Path;

use super::error::InstallError;
use super::files::{Found, Owner};
use super::manifest::{Entry, Ours};
use super::setting::{EditError, Form, Set, Setting};

/// What was set before and what is set now.
pub(super) fn joined(prior: Option<&Ours>, now: Ours) -> Ours {
    let both = |prior: &[Set], now: Vec<Set>| {
        let is_new = |set: &&Set| now.iter().all(|new| new.path != set.path);
        let kept: Vec<Set> = prior.iter().filter(is_new).cloned().collect();
        kept.into_iter().chain(now).collect()
    };
    match (prior, now) {
        (Some(Ours::Json(prior)), Ours::Json(now)) => Ours::Json(both(prior, now)),
        (Some(Ours::Toml(prior)), Ours::Toml(now)) => Ours::Toml(both(prior, now)),
        (_, now) => now,
    }
}

/// The file with the settings, and what was set; `None` where it says so already.
pub(super) fn edit<F: Form>(
    (path, before): (&Path, &Found),
    settings: &[Setting],
    prior: Option<&Entry>,
) -> Result<Option<(Found, Vec<Set>)>, InstallError> {
    let (mut text, owner) = text_of(path, before)?;
    let known = match prior.map(|prior| &prior.ours) {
        Some(Ours::Json(sets) | Ours::Toml(sets)) => sets.as_slice(),
        Some(Ours::Whole | Ours::Link(_)) | None => &[],
    };
    let mut sets = Vec::new();
    for setting in settings {
        let former = known.iter().find(|set| set.path == setting.path);
        let own = former.map(|set| &set.value);
        let setting = own.map_or_else(|| setting.clone(), |own| setting.after(own));
        let edited = F::set(&text, &setting).map_err(|error| refused(path, error))?;
        let Some((new, set)) = edited else { continue };
        text = new;
        sets.push(match former {
            // What stood there before us is what comes back.
            Some(former) if set.former.as_ref() == own => Set {
                value: set.value,
                ..former.clone()
            },
            Some(_) | None => set,
        });
    }
    let bytes = text.into_bytes();
    Ok((!sets.is_empty()).then_some((Found::File { bytes, owner }, sets)))
}

fn text_of(path: &Path, found: &Found) -> Result<(String, Owner), InstallError> {
    match found {
        Found::Nothing => Ok((String::new(), Owner::root(0o644))),
        Found::Link(_) => Err(InstallError::NotRegular(path.to_owned())),
        Found::File { bytes, owner } => match String::from_utf8(bytes.clone()) {
            Ok(text) => Ok((text, *owner)),
            Err(error) => {
                let good = error.utf8_error().valid_up_to();
                let text = String::from_utf8_lossy(bytes.get(..good).unwrap_or_default());
                let (line, column) = crate::trust::text::position(&text, text.len());
                let (path, what) = (path.to_owned(), "not UTF-8".to_owned());
                Err(InstallError::Malformed {
                    path,
                    line,
                    column,
                    what,
                })
            }
        },
    }
}

fn refused(path: &Path, error: EditError) -> InstallError {
    let path = path.to_owned();
    match error {
        EditError::Malformed { line, column, what } => InstallError::Malformed {
            path,
            line,
            column,
            what,
        },
        EditError::Taken { key, has } => InstallError::Taken { path, key, has },
        EditError::NotKept => InstallError::NotKept(path),
    }
}

/// The file without what was set.
pub(super) fn without<F: Form>(
    entry: &Entry,
    before: &Found,
    sets: &[Set],
) -> Result<Found, InstallError> {
    let (mut text, owner) = text_of(&entry.path, before)?;
    for set in sets.iter().rev() {
        text = F::unset(&text, set).map_err(|error| refused(&entry.path, error))?;
    }
    Ok(match entry.before.is_none() && F::is_empty(&text) {
        true => Found::Nothing,
        false => Found::File {
            bytes: text.into_bytes(),
            owner,
        },
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::json::Json;
    use super::super::target::Target;
    use super::*;

    fn runtime(path: &str) -> [Setting; 1] {
        [Setting::new(
            &["runtimes", "pipework"],
            json!({ "path": path }),
        )]
    }

    #[test]
    fn a_program_that_moved_takes_the_place_of_its_former_path_and_all_comes_back() {
        let path = Path::new("/etc/docker/daemon.json");
        let text = "{\n  \"debug\": true\n}\n";
        let owner = Owner::root(0o644);
        let bytes = text.as_bytes().to_vec();
        let before = Found::File { bytes, owner };
        let first = runtime("/usr/local/bin/pipework-runtime");
        let (between, sets) = edit::<Json>((path, &before), &first, None)
            .unwrap()
            .unwrap();
        let mut entry = Entry {
            target: Target::Docker,
            path: path.to_owned(),
            ours: Ours::Json(sets),
            before: None,
            after: String::new(),
            folders: Vec::new(),
        };
        let second = runtime("/usr/bin/pipework-runtime");
        assert!(edit::<Json>((path, &between), &second, None).is_err());
        let moved = edit::<Json>((path, &between), &second, Some(&entry)).unwrap();
        let (after, sets) = moved.unwrap();
        entry.ours = joined(Some(&entry.ours), Ours::Json(sets.clone()));
        assert_eq!(entry.ours, Ours::Json(sets.clone()));
        assert_eq!(without::<Json>(&entry, &after, &sets).unwrap(), before);
    }
}
