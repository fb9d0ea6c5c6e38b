//! A topology for Graphviz, which places it by itself (dot language).

use super::topology::{Kind, Node, Topology};

/// The text of a file in the dot language.
pub fn write(topology: &Topology) -> String {
    let mut text = String::from(
        "digraph pipework {\n  rankdir=LR;\n  bgcolor=white;\n  \
         node [shape=box, style=\"rounded,filled\", fontname=\"sans-serif\", fontsize=11];\n  \
         edge [dir=none, color=\"#64748b\", fontname=\"sans-serif\", fontsize=9];\n",
    );
    for (number, node) in topology.nodes.iter().enumerate() {
        let style = match node.lives {
            true => "",
            false => ", style=\"rounded,filled,dashed\"",
        };
        let colour = colour(node.kind);
        let label = label(node);
        text.push_str(&format!(
            "  n{number} [label={label}, fillcolor=\"{colour}\"{style}];\n"
        ));
    }
    for edge in &topology.edges {
        let label = match edge.label.is_empty() {
            true => String::new(),
            false => format!(" [label={}]", quoted(&edge.label)),
        };
        text.push_str(&format!("  n{} -> n{}{label};\n", edge.from, edge.to));
    }
    text.push_str("}\n");
    text
}

fn label(node: &Node) -> String {
    let lines = std::iter::once(&node.name).chain(&node.lines);
    let lines: Vec<String> = lines.map(|line| escaped(line)).collect();
    format!("\"{}\"", lines.join("\\n"))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text))
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

/// The background of a kind, in all formats.
pub fn colour(kind: Kind) -> &'static str {
    match kind {
        Kind::Nic => "#e2e8f0",
        Kind::Bond => "#e7e5e4",
        Kind::Vlan => "#fef3c7",
        Kind::Bridge => "#dbeafe",
        Kind::OvsBridge => "#ede9fe",
        Kind::Container => "#dcfce7",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_ends_no_string() {
        assert_eq!(quoted("a\"b\\"), r#""a\"b\\""#);
    }
}
