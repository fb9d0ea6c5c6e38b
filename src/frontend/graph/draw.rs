//! A topology as boxes and lines with places, in pixels.
//!
//! Many containers that are plugged into one thing alone are drawn as one rack,
//! so that a hundred of them are read at a glance.

use std::collections::BTreeMap;

use super::place::{Item, Places, place};
use super::shape::{CELL_GAP, NAME_WIDTH, Shape, columns, shapes, wide};
use super::topology::{Kind, Node, Topology};

/// Room around everything, and between a box's border and its text.
pub const MARGIN: f64 = 24.0;
pub const PAD: f64 = 10.0;
/// Heights of a name, of a line below it, and of the headings.
pub const NAME: f64 = 18.0;
pub const LINE: f64 = 15.0;
const HEADING: f64 = 34.0;
/// Between two columns, and more for each line that goes up or down there.
const COLUMN_GAP: f64 = 56.0;
const LANE: f64 = 8.0;
/// The least step of a line that is drawn.
const STEP: f64 = 14.0;
/// Longest text that is drawn, in characters.
pub const MOST_CHARACTERS: usize = 44;
/// A node with its place.
#[derive(Debug)]
pub struct Placed<'a> {
    /// The node.
    pub node: &'a Node,
    /// Left edge.
    pub x: f64,
    /// Upper edge.
    pub y: f64,
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
}

/// The frame around a rack.
#[derive(Debug)]
pub struct Frame {
    /// Left edge.
    pub x: f64,
    /// Upper edge.
    pub y: f64,
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
    /// How many containers are in it.
    pub count: usize,
}

/// A line from what is plugged into to what is.
#[derive(Debug)]
pub struct Way {
    /// Its corners.
    pub points: Vec<(f64, f64)>,
    /// The number of the box that it comes from: lines of one box look alike.
    pub from: usize,
}

/// Everything that is drawn.
#[derive(Debug, Default)]
pub struct Drawing<'a> {
    /// The boxes.
    pub boxes: Vec<Placed<'a>>,
    /// The frames around some of them.
    pub frames: Vec<Frame>,
    /// The lines.
    pub ways: Vec<Way>,
    /// What stands above the columns, and where they begin.
    pub headings: Vec<(f64, &'static str)>,
    /// Width of everything.
    pub width: f64,
    /// Height of everything.
    pub height: f64,
}

/// An edge between shapes; `line` as in [`super::topology::Edge`].
struct Joint {
    from: usize,
    to: usize,
    line: Option<usize>,
}

/// Gives everything its place.
pub fn draw(topology: &Topology) -> Drawing<'_> {
    let columns = columns(topology);
    let shapes = shapes(topology, &columns);
    let mut shape_of = BTreeMap::new();
    for (number, shape) in shapes.iter().enumerate() {
        shape_of.extend(shape.nodes.iter().map(|node| (*node, number)));
    }
    let mut joints = Vec::new();
    for edge in &topology.edges {
        let (Some(from), Some(to)) = (shape_of.get(&edge.from), shape_of.get(&edge.to)) else {
            continue;
        };
        let is_rack = shapes.get(*to).is_some_and(|shape| shape.nodes.len() > 1);
        let is_new = |joint: &Joint| (joint.from, joint.to) != (*from, *to);
        if !is_rack || joints.iter().all(is_new) {
            let line = edge.line.filter(|_| !is_rack);
            joints.push(Joint {
                from: *from,
                to: *to,
                line,
            });
        }
    }
    let items = shapes.iter().map(|shape| Item {
        height: shape.height,
        column: shape.column,
    });
    let items: Vec<Item> = items.collect();
    let edges: Vec<(usize, usize)> = joints.iter().map(|joint| (joint.from, joint.to)).collect();
    let places = place(&items, &edges);
    let across = Across::of(topology, &shapes, &joints);
    finish(topology, &shapes, &joints, (&places, &across))
}

/// Where columns begin, and how wide they are.
struct Across {
    columns: Vec<(f64, f64)>,
    /// Where the lines of a shape go up or down.
    lanes: BTreeMap<usize, f64>,
    width: f64,
}

impl Across {
    fn of(topology: &Topology, shapes: &[Shape], joints: &[Joint]) -> Self {
        let count = shapes
            .iter()
            .map(|shape| shape.column + 1)
            .max()
            .unwrap_or(0);
        let mut across = Self {
            columns: Vec::new(),
            lanes: BTreeMap::new(),
            width: MARGIN,
        };
        for column in 0..count {
            let own = shapes.iter().filter(|shape| shape.column == column);
            let width = own.map(|shape| shape.width).fold(0.0, f64::max);
            let heading = wide(heading(topology, shapes, column)) * NAME_WIDTH;
            let width = width.max(heading);
            across.columns.push((across.width, width));
            let mut lane = across.width + width + COLUMN_GAP / 2.0;
            for (number, _) in shapes
                .iter()
                .enumerate()
                .filter(|(_, shape)| shape.column == column)
            {
                if joints.iter().any(|joint| joint.from == number) {
                    across.lanes.insert(number, lane);
                    lane += LANE;
                }
            }
            across.width = lane + COLUMN_GAP / 2.0;
        }
        across.width += MARGIN - COLUMN_GAP;
        across
    }

    fn left(&self, column: usize) -> f64 {
        self.columns.get(column).map_or(MARGIN, |(left, _)| *left)
    }

    fn right(&self, column: usize) -> f64 {
        self.columns
            .get(column)
            .map_or(MARGIN, |(left, width)| left + width)
    }
}

/// What stands above a column.
fn heading(topology: &Topology, shapes: &[Shape], column: usize) -> &'static str {
    let own = shapes.iter().filter(|shape| shape.column == column);
    let nodes = own
        .flat_map(|shape| &shape.nodes)
        .filter_map(|node| topology.nodes.get(*node));
    match nodes.map(|node| node.kind).max() {
        Some(Kind::Nic) => "Network cards",
        Some(Kind::Bond) => "Bonds",
        Some(Kind::Vlan) => "VLANs",
        Some(Kind::Bridge | Kind::OvsBridge) => "Bridges",
        Some(Kind::Container) => "Containers",
        None => "",
    }
}

fn finish<'a>(
    topology: &'a Topology,
    shapes: &[Shape],
    joints: &[Joint],
    (places, across): (&Places, &Across),
) -> Drawing<'a> {
    let top = MARGIN + HEADING;
    let mut drawing = Drawing {
        width: across.width,
        height: top + places.height + MARGIN,
        ..Drawing::default()
    };
    for column in 0..across.columns.len() {
        let heading = heading(topology, shapes, column);
        drawing.headings.push((across.left(column), heading));
    }
    for (shape, place) in shapes.iter().zip(&places.tops) {
        let (x, y) = (across.left(shape.column), top + place);
        put(topology, shape, (x, y), across, &mut drawing);
    }
    for (joint, passes) in joints.iter().zip(&places.passes) {
        let end = |shape: usize| {
            let own = shapes.get(shape)?;
            Some((own, top + places.tops.get(shape)?))
        };
        let (Some((from, from_top)), Some((to, to_top))) = (end(joint.from), end(joint.to)) else {
            continue;
        };
        let lane = across.lanes.get(&joint.from).copied().unwrap_or(0.0);
        let begin = from_top + from.height / 2.0;
        let end = match joint.line {
            Some(line) => to_top + PAD + NAME + (line as f64 + 0.5) * LINE - 3.0,
            None => to_top + to.height / 2.0,
        };
        let from_right = across.left(from.column) + from.width;
        let mut points = vec![(from_right, begin), (lane, begin)];
        // Behind the first column every column has a gap of its own; there the
        // line goes on at the place of its own in that column.
        for (column, height) in passes {
            // A step of a few pixels is none that means anything.
            let near = (top + height - end).abs() < STEP;
            let height = if near { end } else { top + height };
            let gap = points.last().map_or(lane, |(x, _)| *x);
            points.push((gap, height));
            points.push((across.right(*column) + COLUMN_GAP / 4.0, height));
        }
        let gap = points.last().map_or(lane, |(x, _)| *x);
        points.push((gap, end));
        points.push((across.left(to.column), end));
        drawing.ways.push(Way {
            points,
            from: joint.from,
        });
    }
    drawing
}

/// Adds the boxes of a shape, whose upper left corner is at `(x, y)`.
fn put<'a>(
    topology: &'a Topology,
    shape: &Shape,
    (x, y): (f64, f64),
    across: &Across,
    drawing: &mut Drawing<'a>,
) {
    let nodes = shape
        .nodes
        .iter()
        .filter_map(|node| topology.nodes.get(*node));
    if let [only] = shape.nodes.as_slice() {
        let column = across
            .columns
            .get(shape.column)
            .map_or(shape.width, |(_, width)| *width);
        let is_rack_beside = column > 1.5 * shape.width;
        let width = if is_rack_beside { shape.width } else { column };
        let node = topology.nodes.get(*only);
        let (width, height) = (width, shape.height);
        drawing.boxes.extend(node.map(|node| Placed {
            node,
            x,
            y,
            width,
            height,
        }));
        return;
    }
    let count = shape.nodes.len();
    let (width, height) = (shape.width, shape.height);
    drawing.frames.push(Frame {
        x,
        y,
        width,
        height,
        count,
    });
    let down = count.div_ceil(shape.across);
    let cell_width = (width - 2.0 * PAD + CELL_GAP) / (shape.across as f64);
    let cell_height = (height - 2.0 * PAD - NAME + CELL_GAP) / (down as f64);
    for (number, node) in nodes.enumerate() {
        let (column, row) = (number / down, number % down);
        drawing.boxes.push(Placed {
            node,
            x: x + PAD + (column as f64) * cell_width,
            y: y + PAD + NAME + (row as f64) * cell_height,
            width: cell_width - CELL_GAP,
            height: cell_height - CELL_GAP,
        });
    }
}
