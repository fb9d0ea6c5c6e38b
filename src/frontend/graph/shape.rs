//! How large everything is, and which column it stands in.

use std::collections::BTreeMap;

use super::draw::{LINE, MOST_CHARACTERS, NAME, PAD};
use super::topology::{Kind, Node, Topology};

/// Containers of one uplink from which on they become a rack.
const RACK_FROM: usize = 11;
/// Between the cells of a rack.
pub const CELL_GAP: f64 = 6.0;
/// Widths of a character, in pixels: of a name, and of a line, which is set in
/// letters of one width.
pub const NAME_WIDTH: f64 = 8.4;
const LINE_WIDTH: f64 = 7.0;

/// One node, or the containers of a rack; and its size.
pub struct Shape {
    /// The nodes.
    pub nodes: Vec<usize>,
    /// The column, from 0.
    pub column: usize,
    /// Width in pixels.
    pub width: f64,
    /// Height in pixels.
    pub height: f64,
    /// Cells beside each other: more than one only in a rack.
    pub across: usize,
}

/// The column of each node: behind all that it is plugged into, with its like,
/// and containers last of all.
pub fn columns(topology: &Topology) -> Vec<usize> {
    let own = |kind: Kind| match kind {
        Kind::Nic => 0,
        Kind::Bond => 1,
        Kind::Vlan => 2,
        Kind::Bridge | Kind::OvsBridge | Kind::Container => 3,
    };
    let mut columns: Vec<usize> = topology.nodes.iter().map(|node| own(node.kind)).collect();
    // As often as the longest way is long; a circle, which the kernel has not,
    // would end as well.
    for _ in 0..16 {
        for edge in &topology.edges {
            let behind = columns.get(edge.from).map_or(0, |column| column + 1);
            if let Some(column) = columns.get_mut(edge.to) {
                *column = behind.max(*column);
            }
        }
    }
    let is_container = |node: &Node| node.kind == Kind::Container;
    let of_hosts = topology
        .nodes
        .iter()
        .zip(&columns)
        .filter(|(node, _)| !is_container(node));
    let last = of_hosts.map(|(_, column)| column + 1).max().unwrap_or(0);
    let columns =
        topology
            .nodes
            .iter()
            .zip(columns)
            .map(|(node, column)| match is_container(node) {
                true => last,
                false => column,
            });
    let columns: Vec<usize> = columns.collect();
    let mut used: Vec<usize> = columns.clone();
    used.sort_unstable();
    used.dedup();
    columns
        .iter()
        .map(|column| used.partition_point(|other| other < column))
        .collect()
}

/// Nodes as shapes, containers of one uplink alone as racks where they are many.
pub fn shapes(topology: &Topology, columns: &[usize]) -> Vec<Shape> {
    let mut uplinks: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for edge in &topology.edges {
        uplinks.entry(edge.to).or_default().push(edge.from);
    }
    let mut alone: BTreeMap<Option<usize>, Vec<usize>> = BTreeMap::new();
    let mut shapes = Vec::new();
    for (number, node) in topology.nodes.iter().enumerate() {
        let own = uplinks.get(&number).map_or(&[][..], Vec::as_slice);
        match (node.kind, own) {
            (Kind::Container, [only]) if node.lines.len() == 1 => {
                alone.entry(Some(*only)).or_default().push(number);
            }
            (Kind::Container, []) => alone.entry(None).or_default().push(number),
            (_, _) => shapes.push(single(topology, columns, number)),
        }
    }
    for nodes in alone.into_values() {
        match nodes.len() < RACK_FROM {
            true => shapes.extend(nodes.iter().map(|node| single(topology, columns, *node))),
            false => shapes.push(rack(topology, columns, nodes)),
        }
    }
    shapes
}

fn single(topology: &Topology, columns: &[usize], number: usize) -> Shape {
    let (width, height) = topology.nodes.get(number).map_or((0.0, 0.0), size);
    Shape {
        nodes: vec![number],
        column: columns.get(number).copied().unwrap_or(0),
        width,
        height,
        across: 1,
    }
}

fn rack(topology: &Topology, columns: &[usize], nodes: Vec<usize>) -> Shape {
    let sizes = nodes
        .iter()
        .filter_map(|node| topology.nodes.get(*node))
        .map(size);
    let cell = sizes.fold((0.0_f64, 0.0_f64), |most, size| {
        (most.0.max(size.0), most.1.max(size.1))
    });
    let step = (cell.0 + CELL_GAP, cell.1 + CELL_GAP);
    // About as wide as it is high.
    let mut across = 1;
    while (across as f64) * step.0 < (nodes.len().div_ceil(across) as f64) * step.1 {
        across += 1;
    }
    let down = nodes.len().div_ceil(across);
    Shape {
        column: nodes
            .first()
            .and_then(|node| columns.get(*node))
            .copied()
            .unwrap_or(0),
        nodes,
        width: (across as f64) * step.0 - CELL_GAP + 2.0 * PAD,
        height: (down as f64) * step.1 - CELL_GAP + 2.0 * PAD + NAME,
        across,
    }
}

/// Width and height of a node.
fn size(node: &Node) -> (f64, f64) {
    let name = wide(&node.name) * NAME_WIDTH;
    let lines = node.lines.iter().map(|line| wide(line) * LINE_WIDTH);
    let height = NAME + (node.lines.len() as f64) * LINE + 2.0 * PAD - 4.0;
    (lines.fold(name, f64::max).max(64.0) + 2.0 * PAD, height)
}

/// Width of a text in characters; those of Chinese, Korean and Japanese are two
/// wide.
pub fn wide(text: &str) -> f64 {
    let shown = text.chars().take(MOST_CHARACTERS);
    let wide = shown.map(|c| if u32::from(c) >= 0x1100 { 2 } else { 1 });
    f64::from(wide.sum::<u32>())
}
