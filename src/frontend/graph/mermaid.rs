//! A topology for Mermaid, as wikis draw it (flowchart).

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
            "  classDef {class} fill:{colour},stroke:#64748b,color:#0f172a\n"
        ));
    }
    text.push_str("  classDef down stroke-dasharray:4 3\n");
    for (number, node) in topology.nodes.iter().enumerate() {
        let lines = std::iter::once(&node.name).chain(&node.lines);
        let lines: Vec<String> = lines.map(|line| escaped(line)).collect();
        let class = KINDS.iter().find(|(kind, _)| *kind == node.kind);
        let class = class.map_or("nic", |(_, class)| class);
        text.push_str(&format!(
            "  n{number}[\"{}\"]:::{class}\n",
            lines.join("<br/>")
        ));
        if !node.lives {
            text.push_str(&format!("  class n{number} down\n"));
        }
    }
    for edge in &topology.edges {
        let label = match edge.label.is_empty() {
            true => String::new(),
            false => format!("|\"{}\"|", escaped(&edge.label)),
        };
        text.push_str(&format!("  n{} ---{label} n{}\n", edge.from, edge.to));
    }
    text
}

/// Text in quotation marks: what would end it or be taken for HTML, as numbers
/// (Mermaid's "entity codes").
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '"' | '#' | '&' | '<' | '>' | '`' | '\\' | ';' => {
                escaped.push_str(&format!("#{};", u32::from(c)));
            }
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_text_and_nothing_else() {
        assert_eq!(escaped("a\"<b>"), "a#34;#60;b#62;");
    }
}
