//! Pictures of hosts with a few and with many containers.

use super::super::topology::{Edge, Kind, Node, Topology};
use super::super::{dot, mermaid};
use super::write;
use crate::frontend::graph::draw::draw;

fn node(kind: Kind, name: &str, lines: &[&str]) -> Node {
    Node {
        kind,
        name: name.to_owned(),
        lines: lines.iter().map(|line| (*line).to_owned()).collect(),
        lives: true,
    }
}

fn edge(from: usize, to: usize, line: Option<usize>) -> Edge {
    let label = line.map_or(String::new(), |line| format!("eth{}", line + 1));
    Edge {
        from,
        to,
        line,
        label,
    }
}

/// Cards, a VLAN, bridges of both kinds, containers of one and of two interfaces.
pub fn host(containers: usize) -> Topology {
    let mut topology = Topology {
        nodes: vec![
            node(Kind::Nic, "eth0", &[]),
            node(Kind::Nic, "eth1", &["192.168.7.2/24"]),
            node(Kind::Vlan, "eth0.100", &["VLAN 100"]),
            node(Kind::Bridge, "br0", &["192.168.1.10/24", "fd00:1::10/64"]),
            node(Kind::Bridge, "br100", &[]),
            node(Kind::OvsBridge, "ovs0", &[]),
            node(Kind::Nic, "eth2", &[]),
        ],
        edges: vec![
            edge(0, 2, None),
            edge(0, 3, None),
            edge(2, 4, None),
            edge(6, 5, None),
        ],
    };
    for number in 0..containers {
        let own = topology.nodes.len();
        let address = format!("eth1  192.168.{}.{}/24", 1 + number / 250, 1 + number % 250);
        match number % 8 {
            1 => {
                let lines = [address.as_str(), "eth2  VLAN 20  10.20.0.5/24"];
                topology
                    .nodes
                    .push(node(Kind::Container, &format!("router-{number}"), &lines));
                topology
                    .edges
                    .extend([edge(3, own, Some(0)), edge(5, own, Some(1))]);
            }
            2 => {
                topology.nodes.push(node(
                    Kind::Container,
                    &format!("sensor-{number}"),
                    &[&address],
                ));
                topology.edges.push(edge(1, own, Some(0)));
            }
            other => {
                let uplink = [3, 3, 3, 4, 3, 3, 5, 3][other];
                topology
                    .nodes
                    .push(node(Kind::Container, &format!("web-{number}"), &[&address]));
                topology.edges.push(edge(uplink, own, Some(0)));
            }
        }
    }
    topology
}

#[test]
fn every_node_is_in_every_format() {
    for containers in [0, 3, 100] {
        let topology = host(containers);
        let texts = [
            write(&topology),
            dot::write(&topology),
            mermaid::write(&topology),
        ];
        for node in &topology.nodes {
            for text in &texts {
                assert!(
                    text.contains(&node.name),
                    "{} is missing in\n{text}",
                    node.name
                );
            }
        }
    }
}

#[test]
fn no_box_lies_on_another_or_outside_of_the_picture() {
    for containers in [1, 3, 30, 100] {
        let topology = host(containers);
        let drawing = draw(&topology);
        assert_eq!(drawing.boxes.len(), topology.nodes.len());
        for (number, one) in drawing.boxes.iter().enumerate() {
            assert!(
                one.x >= 0.0 && one.x + one.width <= drawing.width,
                "{one:?}"
            );
            assert!(
                one.y >= 0.0 && one.y + one.height <= drawing.height,
                "{one:?}"
            );
            for other in drawing.boxes.iter().skip(number + 1) {
                let beside = one.x + one.width <= other.x || other.x + other.width <= one.x;
                let below = one.y + one.height <= other.y || other.y + other.height <= one.y;
                assert!(beside || below, "{one:?} {other:?}");
            }
        }
    }
}

#[test]
fn containers_stand_in_the_last_column_behind_all_that_they_are_plugged_into() {
    let topology = host(8);
    let drawing = draw(&topology);
    let lefts = |kind: Kind| {
        let of_kind = drawing
            .boxes
            .iter()
            .filter(move |placed| placed.node.kind == kind);
        of_kind
            .map(|placed| placed.x.round() as i64)
            .collect::<std::collections::BTreeSet<_>>()
    };
    let columns = [Kind::Nic, Kind::Vlan, Kind::Bridge, Kind::Container].map(lefts);
    for pair in columns.windows(2) {
        assert_eq!(pair[0].len(), 1, "one column: {columns:?}");
        assert!(pair[0].last() < pair[1].first(), "{columns:?}");
    }
}

#[test]
fn a_name_is_text_whatever_it_holds() {
    let mut topology = host(1);
    topology.nodes[0].name = "<script>&\"x".to_owned();
    let svg = write(&topology);
    assert!(svg.contains("&lt;script&gt;&amp;&quot;x"));
    assert!(!svg.contains("<script>"));
    let long = "x".repeat(500);
    topology.nodes[0].name = long.clone();
    let svg = write(&topology);
    assert_eq!(svg.matches(&long).count(), 1, "as a tooltip");
}

#[test]
fn a_host_without_anything_is_a_picture_all_the_same() {
    let svg = write(&Topology::default());
    assert!(svg.starts_with("<svg ") && svg.contains("nothing to draw"));
}

/// `GRAPH_SAMPLES=/tmp cargo test --lib graph` writes pictures to look at.
#[test]
fn samples_are_written_where_they_are_wanted() {
    if let Some(folder) = std::env::var_os("GRAPH_SAMPLES") {
        for containers in [3, 12, 100] {
            let topology = host(containers);
            for (format, text) in [
                ("svg", write(&topology)),
                ("dot", dot::write(&topology)),
                ("mmd", mermaid::write(&topology)),
            ] {
                let name = format!("graph-{containers}.{format}");
                std::fs::write(std::path::Path::new(&folder).join(name), text).unwrap();
            }
        }
    }
}
