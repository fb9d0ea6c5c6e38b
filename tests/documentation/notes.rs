//! `make release-notes`: what CHANGELOG.md says of one release, and nothing else.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::at;

const CHANGELOG: &str = "# Changelog\n\nHow it is written.\n\n\
    ## [Unreleased]\n\n### Added\n- Not yet.\n\n\
    ## [1.10.0] – 2026-02-01\n\n### Fixed\n- The newest.\n\n\
    ## [1.1.0] – 2026-01-01\n\n### Added\n- The older.\n\n\
    [1.10.0]: https://example.org/1.10.0\n";

/// The notes that make prints in a folder with a changelog.
#[track_caller]
fn notes(folder: &Path, version: &str) -> String {
    let output = Command::new("make")
        .args(["--silent", "--no-print-directory", "--file"])
        .arg(at("Makefile"))
        .args(["release-notes", &format!("VERSION={version}")])
        .current_dir(folder)
        .env_remove("MAKEFLAGS")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn release_notes_are_what_the_changelog_says_of_that_release() {
    let name = format!("notes-{}", std::process::id());
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("CHANGELOG.md"), CHANGELOG).unwrap();
    let said = ["", "1.10.0", "1.1.0", "1.1"].map(|version| notes(&folder, version));
    fs::remove_dir_all(&folder).unwrap();
    let newest = "## [1.10.0] – 2026-02-01\n\n### Fixed\n- The newest.";
    let older = "## [1.1.0] – 2026-01-01\n\n### Added\n- The older.";
    assert_eq!(said, [newest, newest, older, ""]);
    // And of ours there is something to say.
    let ours = notes(&at(""), env!("CARGO_PKG_VERSION"));
    let heading = concat!("## [", env!("CARGO_PKG_VERSION"), "]");
    assert!(ours.starts_with(heading) && ours.contains("\n- "), "{ours}");
}
