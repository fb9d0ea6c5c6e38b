//! A topology for Mermaid, as wikis draw it (flowchart).
//!
//! Mermaid changes the text before it is parsed: it takes comments and directives
//! out (`%%`), and the last `;` of a line that looks like a style. So labels are
//! written without what it may read, and every statement has a `;` of its own to
//! lose.

use super::dot::colour;
use super::topology::{Kind, Topology};

const KINDS: [(Kind, &str); 6] = [
    (Kind::Nic, "nic"),
    (Kind::Bond, "bond"),
    (Kind::Vlan, "vlan"),
    (Kind::Bridge, "bridge"),
    (Kind::OvsBridge, "ovs"),
    (Kind::Container, "container"),
];

/// The text of a flowchart.
pub fn write(topology: &Topology) -> String {
    let mut text = String::from("flowchart LR\n");
    for (kind, class) in KINDS {
        let colour = colour(kind);
        text.push_str(&format!(
            "  classDef {class} fill:{colour},stroke:#64748b,color:#0f172a;\n"
        ));
    }
    text.push_str("  classDef down stroke-dasharray:4 3;\n");
    for (number, node) in topology.nodes.iter().enumerate() {
        let lines = std::iter::once(&node.name).chain(&node.lines);
        let lines: Vec<String> = lines.map(|line| escaped(line)).collect();
        let class = KINDS.iter().find(|(kind, _)| *kind == node.kind);
        let class = class.map_or("nic", |(_, class)| class);
        text.push_str(&format!(
            "  n{number}[\"{}\"]:::{class};\n",
            lines.join("<br/>")
        ));
        if !node.lives {
            text.push_str(&format!("  class n{number} down;\n"));
        }
    }
    for edge in &topology.edges {
        let label = match edge.label.is_empty() {
            true => String::new(),
            false => format!("|\"{}\"|", escaped(&edge.label)),
        };
        text.push_str(&format!("  n{} ---{label} n{};\n", edge.from, edge.to));
    }
    text
}

/// Text in quotation marks: whatever Mermaid, its Markdown, its formulas or HTML
/// could read as more than a character is a number (Mermaid's "entity codes").
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    let mut before = None;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let is_letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        let is_plain = match c {
            ' ' | '-' | '.' | '/' | ':' | '@' | ',' | '+' | '=' => true,
            // Markdown sees none inside a word.
            '_' => is_letter(before) && is_letter(rest.peek().copied()),
            other => other.is_alphanumeric(),
        };
        match is_plain {
            true => escaped.push(c),
            false => escaped.push_str(&format!("#{};", u32::from(c))),
        }
        before = Some(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::frontend::graph::topology::{Edge, Node};

    /// Reads what is written above as Mermaid's documentation has it (Flowcharts -
    /// Basic Syntax: nodes, links, classes, entity codes), and nothing but it: any
    /// other statement or character fails. What Mermaid 11.17 itself read of the
    /// same texts was the same.
    fn read(text: &str) -> Topology {
        assert!(!text.contains("%%"), "a comment or a directive: {text}");
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("flowchart LR"));
        let mut classes = Vec::new();
        let mut read = Topology::default();
        for line in lines {
            let line = line.strip_prefix("  ").expect(line);
            let statement = line.strip_suffix(';').expect(line);
            let number = |text: &str| -> usize { text.strip_prefix('n').unwrap().parse().unwrap() };
            if let Some(rest) = statement.strip_prefix("classDef ") {
                let (class, styles) = rest.split_once(' ').unwrap();
                assert!(styles.split(',').all(|style| style.contains(':')), "{line}");
                classes.push(class.to_owned());
            } else if let Some(rest) = statement.strip_prefix("class ") {
                let (node, class) = rest.split_once(' ').unwrap();
                assert!(classes.iter().any(|known| known == class), "{line}");
                read.nodes[number(node)].lives = false;
            } else if let Some((node, rest)) = statement.split_once("[\"") {
                let (label, class) = rest.split_once("\"]:::").expect(line);
                assert_eq!(number(node), read.nodes.len());
                assert!(classes.iter().any(|known| known == class), "{line}");
                let mut lines = label.split("<br/>").map(decoded);
                let kind = KINDS.iter().find(|(_, name)| *name == class).unwrap().0;
                read.nodes.push(Node {
                    kind,
                    name: lines.next().unwrap(),
                    lines: lines.collect(),
                    lives: true,
                });
            } else {
                let (from, rest) = statement.split_once(" ---").expect(line);
                let (label, to) = match rest.strip_prefix("|\"") {
                    Some(rest) => rest.split_once("\"| ").unwrap(),
                    None => ("", rest.strip_prefix(' ').unwrap()),
                };
                read.edges.push(Edge {
                    from: number(from),
                    to: number(to),
                    line: None,
                    label: decoded(label),
                });
            }
        }
        read
    }

    /// What stands in quotation marks, with its entity codes as characters.
    fn decoded(label: &str) -> String {
        let mut parts = label.split('#');
        let mut decoded = parts.next().unwrap().to_owned();
        for part in parts {
            let (number, rest) = part.split_once(';').expect(label);
            decoded.push(char::from_u32(number.parse().unwrap()).unwrap());
            decoded.push_str(rest);
        }
        let mut bare = label.replace("#", "").replace(";", "");
        bare.retain(|c| "\"<>&`\\%$*~|[]{}()".contains(c));
        assert_eq!(bare, "", "{label}");
        decoded
    }

    fn topology(name: &str, line: &str, label: &str) -> Topology {
        let node = |kind, lives| Node {
            kind,
            name: name.to_owned(),
            lines: vec![line.to_owned(), line.to_owned()],
            lives,
        };
        let edge = |label: &str| Edge {
            from: 0,
            to: 1,
            line: None,
            label: label.to_owned(),
        };
        Topology {
            nodes: vec![node(Kind::Bridge, true), node(Kind::Container, false)],
            edges: vec![edge(""), edge(label)],
        }
    }

    #[test]
    fn names_that_mean_something_to_mermaid_are_names() {
        for name in [
            "end",
            "subgraph",
            "a\"]; click n0 \"x\" --> b",
            "[x](y){z}|o",
            "%%{init: {'theme': 'dark'}}%%",
            "style:#;classDef:#;",
            "<script>&amp;#34;",
            "`*b*` __init__ web_1 $$x$$",
            "- a\\n",
            "a --- b",
            "größe 日本",
        ] {
            let topology = topology(name, name, name);
            assert_eq!(read(&write(&topology)), topology);
        }
    }

    #[test]
    fn a_name_of_a_container_is_legible() {
        assert_eq!(escaped("shop_web-1.lan"), "shop_web-1.lan");
        assert_eq!(escaped("__x"), "#95;#95;x");
    }

    proptest! {
        #[test]
        fn any_text_comes_back(name in "\\PC*", line in "\\PC*", label in "\\PC+") {
            let topology = topology(&name, &line, &label);
            prop_assert_eq!(read(&write(&topology)), topology);
        }
    }
}
