//! The table of keys as text for people: `pipework keys`, and the README.

use std::fmt::Write as _;

use super::{Key, all, lookup, suggest};
use crate::request::sysctl::Family;

/// The table as Markdown, one row per field.
pub fn markdown_table() -> String {
    let mut table =
        String::from("| field | value | default | meaning | status |\n|---|---|---|---|---|\n");
    for key in all() {
        let default = key.default.map(|d| format!("`{d}`")).unwrap_or_default();
        // Writing to a String cannot fail.
        let _ = writeln!(
            table,
            "| `{}` | {}, e.g. `{}` | {default} | {} | since {} |",
            key.name, key.form, key.example, key.meaning, key.since,
        );
    }
    table
}

/// What `pipework keys [FIELD]` prints: the whole list, or all about the
/// fields that are called FIELD or begin with it.
///
/// Fails with why there is nothing to explain.
pub fn text(filter: Option<&str>) -> Result<String, String> {
    let Some(filter) = filter else {
        return Ok(list());
    };
    let name = filter.strip_prefix("pipework.").unwrap_or(filter);
    let below = format!("{name}.");
    let found: Vec<String> = all()
        .filter(|key| {
            lookup(name) == Some(*key) || key.stem() == name || key.name.starts_with(&below)
        })
        .map(detail)
        .collect();
    if found.is_empty() {
        return Err(match suggest(name) {
            Some(field) => format!("no field is called {name}; did you mean {field}"),
            None => format!("no field is called {name}; `pipework keys` lists them"),
        });
    }
    Ok(found.join("\n"))
}

fn list() -> String {
    let mut list = String::new();
    for key in all() {
        let _ = writeln!(list, "{:<24} {}", key.name, key.meaning);
    }
    list
}

fn detail(key: &Key) -> String {
    let mut text = format!("pipework.{}\n  {}\n", key.name, key.meaning);
    let _ = writeln!(text, "  value:   {}", key.form);
    if let Some(default) = key.default {
        let _ = writeln!(text, "  default: {default}");
    }
    let _ = writeln!(text, "  example: {}", key.example);
    let _ = writeln!(text, "  since:   {}", key.since);
    let sample = format!("{}.", key.stem());
    for family in [Family::Ipv4, Family::Ipv6] {
        if sample == format!("sysctl.{family}.conf.") {
            let _ = writeln!(text, "  leaf:    {}", family.leaves().join(" "));
        }
    }
    text
}
