//! What a package holds, against the table of docs/install.md that tells users so.

use std::collections::BTreeSet;
use std::path::Path;

use crate::support::world::World;

/// Where zsh looks for completions, by who makes its package: the other's place is
/// not used.
const OF_DEBIAN: &str = "/usr/share/zsh/vendor-completions/";
const ELSEWHERE: &str = "/usr/share/zsh/site-functions/";

/// Rows of what no package brings.
const MADE_LATER: [&str; 2] = ["yours", "what outlives a reboot"];

/// The paths of one row. A relative one takes the place of as many last components of
/// the path before it; one that begins with a dot, of its extension.
fn paths_of(cell: &str) -> Vec<String> {
    let mut paths: Vec<String> = Vec::new();
    let quoted = cell.split('`').skip(1).step_by(2);
    for word in quoted.filter(|word| !word.contains(' ')) {
        let path = if word.starts_with('/') {
            word.to_owned()
        } else {
            let former = Path::new(paths.last().unwrap());
            let full = match word.strip_prefix('.') {
                Some(extension) => former.with_extension(extension),
                None => {
                    let replaced = word.split('/').count();
                    former.ancestors().nth(replaced).unwrap().join(word)
                }
            };
            full.to_str().unwrap().to_owned()
        };
        paths.push(path);
    }
    paths
}

/// Every path of the table that a package brings.
fn told() -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/install.md");
    let text = std::fs::read_to_string(path).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| "));
    let cells = rows.filter_map(|row| row.split_once(" | "));
    let brought = cells.filter(|(what, _)| !MADE_LATER.contains(what));
    brought.flat_map(|(_, cell)| paths_of(cell)).collect()
}

/// Everything in the table is there, and the package holds nothing that the table does
/// not have. `listing` is what lists the package's files.
#[track_caller]
pub fn assert_is_what_is_told(world: &World, listing: &str) {
    let others = if listing.starts_with("rpm") {
        OF_DEBIAN
    } else {
        ELSEWHERE
    };
    // Of every package; manual pages are packed.
    let held = world
        .sh(&format!(
            "{listing} | while read -r path; do [ -d $path ] || ls $path; done \
             | grep -v -e /changelog -e /CHANGELOG -e /copyright -e /licenses/ -e /lintian/ \
             | sed '/\\/man\\//s/\\.gz$//'"
        ))
        .ok();
    let held: BTreeSet<&str> = held.lines().collect();
    let told = told();
    let told: BTreeSet<&str> = told
        .iter()
        .map(String::as_str)
        .filter(|path| !path.starts_with(others))
        .collect();
    let missing: Vec<_> = told.difference(&held).collect();
    let untold: Vec<_> = held.difference(&told).collect();
    assert!(
        missing.is_empty() && untold.is_empty(),
        "missing: {missing:?}, not in the table: {untold:?}"
    );
}
