//! Who imports whom, and what every source file owes: its size, its header,
//! and that `unsafe` and `setns` stay where they are looked after.

// A test fails by panicking.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "layering/source.rs"]
mod source;
#[path = "layering/table.rs"]
mod table;

use source::{Source, sources, sources_below};
use table::MAY_IMPORT;

/// What the pure layers must not name.
const IMPURE: &[&str] = &[
    "tokio::",
    "nix::",
    "rtnetlink::",
    "std::fs",
    "std::process",
    "TcpStream",
    "UdpSocket",
    "UnixStream",
    "UnixDatagram",
    "std::time::SystemTime",
    "Instant::now",
];
const PURE: &[&str] = &[
    "dhcp::arp",
    "dhcp::frame",
    "dhcp::lease",
    "dhcp::names",
    "dhcp::options",
    "dhcp::v4",
    "dhcp::v6",
    "dhcp::wire",
    "frontend::install::diff",
    "frontend::install::json",
    "frontend::install::setting",
    "frontend::install::toml",
    "plan",
    "request",
    "rt",
    "host::view",
    "reference",
    "uplink::back",
    "uplink::judge",
    "uplink::plan",
    "uplink::rules",
    "uplink::settings",
    "uplink::snippet",
    "uplink::step",
];
const MOST_LINES: usize = 400;

fn is_within(module: &str, layer: &str) -> bool {
    module
        .strip_prefix(layer)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// The layer of a module: the longest row that it is within.
fn layer_of(module: &str) -> Option<&'static (&'static str, &'static [&'static str])> {
    let rows = MAY_IMPORT.iter().filter(|row| is_within(module, row.0));
    rows.max_by_key(|row| row.0.len())
}

/// Every path below `crate::` that a text names, groups taken apart.
fn imports(text: &str) -> Vec<String> {
    let code = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let code: Vec<&str> = code.collect();
    let code = code.join("\n");
    let mut found = Vec::new();
    for after in code.split("crate::").skip(1) {
        expand(after, "", &mut found);
    }
    found
}

/// Takes `a::{b, c::d}` apart into `a::b` and `a::c::d`.
fn expand(after: &str, before: &str, found: &mut Vec<String>) {
    let end = after
        .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'))
        .unwrap_or(after.len());
    let (path, rest) = after.split_at(end);
    let whole = format!("{before}{path}");
    let Some(inner) = rest.strip_prefix('{').filter(|_| whole.ends_with("::")) else {
        found.push(whole);
        return;
    };
    let mut depth = 0;
    let mut start = 0;
    for (place, character) in inner.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                let item = inner[start..place].trim();
                if !item.is_empty() {
                    expand(item, &whole, found);
                }
                start = place + 1;
                if character == '}' {
                    return;
                }
            }
            _ => {}
        }
    }
}

fn report(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn no_module_imports_what_is_above_it() {
    let mut faults = Vec::new();
    for Source { module, text, .. } in sources() {
        let Some((layer, allowed)) = layer_of(&module) else {
            faults.push(format!("{module} is in no layer of the table"));
            continue;
        };
        for import in imports(&text) {
            let own = layer.split("::").next().unwrap();
            let fine = allowed.iter().any(|prefix| is_within(&import, prefix));
            if !fine && !is_within(&import, own) {
                faults.push(format!("{module} imports {import}"));
            }
        }
    }
    report(&faults);
}

#[test]
fn the_pure_layers_touch_neither_host_nor_clock() {
    let mut faults = Vec::new();
    for Source { module, text, .. } in sources() {
        if !PURE.iter().any(|layer| is_within(&module, layer)) {
            continue;
        }
        // Tests may measure and read.
        let code = text.split("#[cfg(test)]").next().unwrap();
        let is_test = ["tests", "properties"]
            .iter()
            .any(|name| module.contains(name));
        let found = IMPURE
            .iter()
            .filter(|word| !is_test && code.contains(**word));
        faults.extend(found.map(|word| format!("{module} names {word}")));
    }
    report(&faults);
}

#[test]
fn every_file_has_a_header_and_at_most_400_lines() {
    let mut faults = Vec::new();
    let others = ["tests", "benches", "fuzz/fuzz_targets"];
    let all = sources()
        .into_iter()
        .chain(others.into_iter().flat_map(sources_below));
    for Source { path, text, .. } in all {
        let path = path.display();
        if !text.starts_with("//! ") {
            faults.push(format!("{path} has no header"));
        }
        let lines = text.lines().count();
        if lines > MOST_LINES {
            faults.push(format!("{path} has {lines} lines"));
        }
    }
    report(&faults);
}

#[test]
fn unsafe_is_in_one_place_and_each_says_why_it_is_sound() {
    let mut faults = Vec::new();
    for Source { module, text, .. } in sources() {
        let blocks = text.matches("unsafe {").count() + text.matches("unsafe fn").count();
        let reasons = text.matches("SAFETY:").count() + text.matches("/// # Safety").count();
        // What the C library gives to `main` are two pointers.
        if blocks > 0 && !is_within(&module, "sys::raw") && module != "main" {
            faults.push(format!("{module} has unsafe code"));
        }
        if reasons < blocks {
            faults.push(format!("{module}: {blocks} unsafe, {reasons} reasons"));
        }
    }
    report(&faults);
}

#[test]
fn namespaces_are_entered_in_one_file() {
    let mut faults = Vec::new();
    for Source { module, text, .. } in sources() {
        if module != "sys::netns" && (text.contains("setns(") || text.contains("unshare(")) {
            faults.push(format!("{module} enters a namespace"));
        }
    }
    report(&faults);
}

/// Who starts another program, and which: nobody who looks for a container, and
/// nothing on the way of an attachment but a DHCP client that policy lists.
const STARTERS: &[&str] = &[
    // ip and tc, in the place of this process.
    "frontend::classic::inside",
    // The runtimes that are told of us.
    "frontend::install::programs",
    // The runtime that stands behind ours.
    "frontend::runtime::real",
    // The DHCP client that `dhcp.program` asks for, by the path that policy has.
    "sys::program",
    "sys::raw::child",
    // Ourselves, to watch a change of the host's own uplink.
    "uplink::guard",
];

#[test]
fn programs_are_started_in_a_few_files_and_never_to_find_a_container() {
    let starts = |source: &Source| {
        let (code, _) = source
            .text
            .split_once("#[cfg(test)]")
            .unwrap_or((&source.text, ""));
        let words = ["process::Command", "Command::new", "execve", "posix_spawn"];
        !source.module.ends_with("tests") && words.iter().any(|word| code.contains(word))
    };
    let found = sources().into_iter().filter(starts);
    let mut found: Vec<String> = found.map(|source| source.module).collect();
    found.sort();
    assert_eq!(found, STARTERS);
}

#[test]
fn groups_of_imports_are_taken_apart() {
    let text = "use crate::a::{b, c::{self, d}};\nlet x = crate::e::f();\n// crate::g\n";
    assert_eq!(imports(text), ["a::b", "a::c::self", "a::c::d", "e::f"]);
}

#[test]
fn no_library_for_dhcp_is_in_the_product() {
    let text = std::fs::read_to_string("Cargo.toml").unwrap();
    let sections = text.split("\n[");
    let of_product: Vec<&str> = sections
        .filter(|s| s.starts_with("dependencies]"))
        .collect();
    assert_eq!(of_product.len(), 1);
    let names = of_product[0]
        .lines()
        .filter_map(|line| line.split_once('='));
    let names: Vec<&str> = names.map(|(name, _)| name.trim()).collect();
    assert!(names.contains(&"rtnetlink"), "{names:?}");
    for other in ["dhcproto", "mozim", "dhcp4r", "dhcp"] {
        assert!(!names.contains(&other), "{other}");
    }
    // Nor by way of another one: only we ourselves name the oracle of our tests.
    let lock = std::fs::read_to_string("Cargo.lock").unwrap();
    let packages = lock.split("[[package]]");
    let users = packages.filter(|package| package.contains("\n \"dhcproto\""));
    let users: Vec<&str> = users.filter_map(|package| package.lines().nth(1)).collect();
    assert_eq!(users, ["name = \"pipework\""]);
}
