//! The way that ARCHITECTURE.md leads through the source: every file, function
//! and type that it names is there, and who imports whom is as it is drawn.

use std::fs;
use std::path::Path;

use crate::table::MAY_IMPORT;
use crate::{at, read};

/// All files of the source below a folder, by their path in the checkout.
fn sources(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(at("src")).unwrap().display().to_string();
            found.push((name, fs::read_to_string(path).unwrap()));
        }
    }
}

/// The text of ARCHITECTURE.md below one of its headings.
fn section(heading: &str) -> String {
    let text = read("ARCHITECTURE.md");
    let (_, after) = text.split_once(&format!("\n## {heading}\n")).unwrap();
    let (section, _) = after.split_once("\n## ").unwrap_or((after, ""));
    section.to_owned()
}

/// What stands between backquotes, a line's end counting as a space.
fn quoted(text: &str) -> Vec<String> {
    let text = text.replace("```", "");
    let quoted = text.split('`').skip(1).step_by(2);
    quoted
        .map(|words| words.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

/// Whether one of `files` has what is called `name`: a function if it begins with
/// a small letter, else a type, a trait or a variant.
fn defines(files: &[&(String, String)], name: &str) -> bool {
    let last = name.rsplit("::").next().unwrap();
    let is_function = last.starts_with(|c: char| c.is_ascii_lowercase());
    let is_word = |text: &str| {
        let words = text.split(|c: char| !(c.is_alphanumeric() || c == '_'));
        words.into_iter().any(|word| word == last)
    };
    files.iter().any(|(_, text)| match is_function {
        true => ["(", "<"]
            .iter()
            .any(|end| text.contains(&format!("fn {last}{end}"))),
        false => text.lines().any(|line| {
            let line = line.trim_start();
            !line.starts_with("//") && is_word(line)
        }),
    })
}

fn is_name(word: &str) -> bool {
    word.chars()
        .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':')
}

#[test]
fn what_the_way_of_an_address_names_is_there() {
    let mut files = Vec::new();
    sources(&at("src"), &mut files);
    let mut named = 0;
    for words in quoted(&section("The life of `pipework.ip`")) {
        let mut words = words.split(' ');
        let first = words.next().unwrap();
        let ours: Vec<&(String, String)> = if first.ends_with(".rs") {
            let end = format!("/{first}");
            let matching = files
                .iter()
                .filter(|(name, _)| name == first || name.ends_with(&end));
            matching.collect()
        } else if first.ends_with(".json") {
            assert!(at(first).exists(), "{first} is not there");
            continue;
        } else if first.starts_with("pipework") || !is_name(first) {
            // What a user writes, and what a file is called.
            continue;
        } else {
            let all: Vec<_> = files.iter().collect();
            let is_module = ["main", "attach"].contains(&first);
            assert!(is_module || defines(&all, first), "{first} is nowhere");
            named += 1;
            continue;
        };
        assert!(!ours.is_empty(), "{first} is not there");
        named += 1;
        for name in words {
            assert!(defines(&ours, name), "{first} has no {name}");
            named += 1;
        }
    }
    assert!(named > 40, "{named}");
}

#[test]
fn the_modules_of_the_table_are_there() {
    let table = section("Modules");
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    let firsts = rows.map(|line| line.split('|').nth(1).unwrap());
    let modules: Vec<String> = firsts.flat_map(quoted).collect();
    for module in &modules {
        let path = at("src").join(module.trim_end_matches('/'));
        let found = path.is_dir() || path.with_extension("rs").exists();
        assert!(found, "there is no module {module}");
    }
    assert!(modules.len() > 20, "{modules:?}");
}

/// Types for anybody, which the drawing leaves out.
const LEAVES: [&str; 3] = ["rt", "reference", "deadline"];

/// The rows of the drawing, `module → what it imports`, whose lists end where
/// several spaces begin.
fn drawn() -> Vec<(String, Vec<String>)> {
    let section = section("Modules");
    let drawing = section.split("```").nth(1).unwrap();
    let mut rows: Vec<(String, Vec<String>)> = Vec::new();
    for line in drawing.lines() {
        let list = match line.split_once('→') {
            Some((module, list)) if !module.contains('←') => {
                rows.push((module.trim().to_owned(), Vec::new()));
                list.strip_prefix(' ').unwrap_or(list)
            }
            None if line.starts_with(' ') => line.trim_start(),
            Some(_) | None => continue,
        };
        let list = list.split("   ").next().unwrap();
        let names = list
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty());
        rows.last_mut().unwrap().1.extend(names.map(str::to_owned));
    }
    rows
}

#[test]
fn the_drawing_of_imports_is_the_table_that_is_tested() {
    // The binary is a crate of its own, and errors are drawn in words.
    let in_words = ["lib", "main", "error", "hint", "logging"];
    let drawn: Vec<_> = drawn().into_iter().filter(|row| row.0 != "main").collect();
    for (module, listed) in &drawn {
        let row = MAY_IMPORT.iter().find(|row| row.0 == module);
        let (_, allowed) = row.unwrap_or_else(|| panic!("{module} is in no row of the table"));
        let mut allowed: Vec<&str> = allowed.to_vec();
        allowed.retain(|import| !LEAVES.contains(import));
        allowed.sort_unstable();
        assert_eq!(*listed, allowed, "{module}");
    }
    // Parts of a module have rows of their own, with their reasons.
    for (module, _) in MAY_IMPORT.iter().filter(|row| !row.0.contains("::")) {
        let is_told = in_words.contains(module) || LEAVES.contains(module);
        let is_drawn = drawn.iter().any(|row| row.0 == *module);
        assert!(is_told || is_drawn, "{module} is not drawn");
    }
}
