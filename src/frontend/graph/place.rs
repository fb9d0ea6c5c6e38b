//! Where everything stands: columns from the outside to the containers, and in
//! each column an order in which few lines cross.
//!
//! The order and the heights are those of Sugiyama's method (`rust-sugiyama`);
//! the columns are ours, so that all cards, all bridges and all containers stand
//! below each other. A line that passes a column has a place in it like a box.

use std::collections::{BTreeMap, BTreeSet};

use rust_sugiyama::configure::Config;

/// Between boxes of one column, in pixels.
const GAP: f64 = 14.0;
/// Room of a line that passes a column, in pixels.
const LINE: f64 = 10.0;

/// What is to be placed: its height in pixels, and its column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Item {
    /// Height in pixels.
    pub height: f64,
    /// Column, from 0.
    pub column: usize,
}

/// Where the items stand.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Places {
    /// Upper edge of each item, in pixels from 0.
    pub tops: Vec<f64>,
    /// Of each edge: its height in every column that it passes, by column.
    pub passes: Vec<BTreeMap<usize, f64>>,
    /// Height of everything.
    pub height: f64,
}

/// A box, or a line that passes.
#[derive(Debug, Clone, Copy)]
enum Vertex {
    Item(usize),
    Pass { edge: usize, column: usize },
}

/// Finds places for `items`, of which `edges` (from, to) connect some; an edge
/// leads to a later column.
pub fn place(items: &[Item], edges: &[(usize, usize)]) -> Places {
    let mut vertices: Vec<Vertex> = (0..items.len()).map(Vertex::Item).collect();
    let mut links: Vec<(u32, u32)> = Vec::new();
    let column_of = |item: usize| items.get(item).map_or(0, |item| item.column);
    for (number, (from, to)) in edges.iter().enumerate() {
        let mut last = *from;
        for column in column_of(*from) + 1..column_of(*to) {
            vertices.push(Vertex::Pass {
                edge: number,
                column,
            });
            let own = vertices.len() - 1;
            links.extend(link(last, own));
            last = own;
        }
        links.extend(link(last, *to));
    }
    links.sort_unstable();
    links.dedup();
    let height_of = |vertex: &Vertex| match vertex {
        Vertex::Item(item) => items.get(*item).map_or(0.0, |item| item.height),
        Vertex::Pass { .. } => LINE,
    };
    let centres = centres(&vertices, &links, height_of);
    stack(items, edges.len(), &vertices, &centres)
}

fn link(from: usize, to: usize) -> Option<(u32, u32)> {
    Some((u32::try_from(from).ok()?, u32::try_from(to).ok()?))
}

/// The middle of each vertex, in pixels: connected parts one below the other,
/// what is connected to nothing at the end.
fn centres(
    vertices: &[Vertex],
    links: &[(u32, u32)],
    height_of: impl Fn(&Vertex) -> f64,
) -> BTreeMap<usize, f64> {
    let connected: BTreeSet<u32> = links.iter().flat_map(|(from, to)| [*from, *to]).collect();
    let heights: Vec<f64> = vertices.iter().map(height_of).collect();
    let height = |vertex: usize| heights.get(vertex).copied().unwrap_or(0.0);
    // The method places layers from top to bottom, so heights are its widths.
    let sized: Vec<(u32, (f64, f64))> = connected
        .iter()
        .map(|vertex| (*vertex, (height(*vertex as usize), LINE)))
        .collect();
    let config = Config {
        vertex_spacing: GAP,
        ..Config::default()
    };
    // Mirrored, since its first is the last; the order stays as good.
    let mut parts: Vec<Vec<(usize, f64)>> = Vec::new();
    if !links.is_empty() {
        for (part, _, _) in rust_sugiyama::from_vertices_and_edges(&sized, links, &config) {
            parts.push(
                part.into_iter()
                    .map(|(vertex, (x, _))| (vertex, -x))
                    .collect(),
            );
        }
    }
    parts.sort_by_key(|part| part.iter().map(|(vertex, _)| *vertex).min());
    let alone =
        (0..vertices.len()).filter(|v| u32::try_from(*v).is_ok_and(|v| !connected.contains(&v)));
    parts.extend(alone.map(|vertex| vec![(vertex, 0.0)]));
    let mut centres = BTreeMap::new();
    let mut below = 0.0;
    for part in parts {
        let edge = |end: f64| {
            part.iter()
                .map(move |(vertex, y)| (*vertex, y + end * height(*vertex) / 2.0))
        };
        let top = edge(-1.0).map(|(_, y)| y).fold(f64::INFINITY, f64::min);
        let bottom = edge(1.0).map(|(_, y)| y).fold(f64::NEG_INFINITY, f64::max);
        centres.extend(part.iter().map(|(vertex, y)| (*vertex, y - top + below)));
        // What stands alone is packed by `stack`, column by column.
        below += if part.len() > 1 {
            bottom - top + 2.0 * GAP
        } else {
            0.001
        };
    }
    centres
}

/// Pushes apart what stands too close in a column, keeping the order.
fn stack(
    items: &[Item],
    edges: usize,
    vertices: &[Vertex],
    centres: &BTreeMap<usize, f64>,
) -> Places {
    let mut columns: BTreeMap<usize, Vec<(f64, Vertex)>> = BTreeMap::new();
    for (number, vertex) in vertices.iter().enumerate() {
        let column = match vertex {
            Vertex::Item(item) => items.get(*item).map_or(0, |item| item.column),
            Vertex::Pass { column, .. } => *column,
        };
        let centre = centres.get(&number).copied().unwrap_or(0.0);
        columns.entry(column).or_default().push((centre, *vertex));
    }
    let mut places = Places {
        tops: vec![0.0; items.len()],
        passes: vec![BTreeMap::new(); edges],
        height: 0.0,
    };
    for (column, mut stacked) in columns {
        stacked.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        let mut free = 0.0_f64;
        for (centre, vertex) in stacked {
            match vertex {
                Vertex::Item(item) => {
                    let height = items.get(item).map_or(0.0, |item| item.height);
                    let top = (centre - height / 2.0).max(free);
                    if let Some(place) = places.tops.get_mut(item) {
                        *place = top;
                    }
                    places.height = places.height.max(top + height);
                    free = top + height + GAP;
                }
                Vertex::Pass { edge, .. } => {
                    let at = centre.max(free);
                    if let Some(passes) = places.passes.get_mut(edge) {
                        passes.insert(column, at);
                    }
                    places.height = places.height.max(at);
                    free = at + LINE;
                }
            }
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(column: usize) -> Item {
        Item {
            height: 30.0,
            column,
        }
    }

    /// Two cards, a bridge on each, many containers on either and some on a card.
    fn sample(containers: usize) -> (Vec<Item>, Vec<(usize, usize)>) {
        let mut items = vec![item(0), item(0), item(1), item(1), item(0)];
        let mut edges = vec![(0, 2), (1, 3)];
        for number in 0..containers {
            items.push(item(2));
            edges.push((number % 4, items.len() - 1));
        }
        (items, edges)
    }

    #[test]
    fn no_two_boxes_of_a_column_touch() {
        for containers in [0, 3, 100] {
            let (items, edges) = sample(containers);
            let places = place(&items, &edges);
            for (a, one) in items.iter().enumerate() {
                for (b, other) in items.iter().enumerate().skip(a + 1) {
                    let apart = (places.tops[a] - places.tops[b]).abs();
                    assert!(
                        one.column != other.column || apart >= 30.0 + GAP - 0.01,
                        "{a} {b}"
                    );
                }
            }
        }
    }

    #[test]
    fn an_edge_over_a_column_has_a_height_in_it() {
        let (items, edges) = sample(4);
        let places = place(&items, &edges);
        assert_eq!(places.passes[2].len(), 1, "from a card to a container");
        assert!(places.passes[0].is_empty());
    }

    #[test]
    fn the_same_is_placed_the_same() {
        let (items, edges) = sample(40);
        assert_eq!(place(&items, &edges), place(&items, &edges));
    }

    #[test]
    fn nothing_needs_no_place() {
        assert_eq!(place(&[], &[]).height, 0.0);
    }
}
