//! A topology as a picture: SVG 1.1 without scripts, links or fonts of its own,
//! on a light background.

use std::fmt::Write as _;

use super::dot::colour;
use super::draw::{Drawing, Frame, LINE, MARGIN, MOST_CHARACTERS, NAME, PAD, Placed, Way, draw};
use super::topology::{Kind, Topology};

/// The colours of lines, by what they come from.
const LINES: [&str; 8] = [
    "#2563eb", "#db2777", "#059669", "#d97706", "#7c3aed", "#0891b2", "#dc2626", "#4d7c0f",
];

const STYLE: &str = "\
text{font-family:'DejaVu Sans',Verdana,Arial,sans-serif;fill:#0f172a}\
.h{font-size:12px;font-weight:bold;fill:#64748b}\
.n{font-size:13px;font-weight:bold}\
.l{font-size:11px;font-family:'DejaVu Sans Mono',Menlo,Consolas,monospace;fill:#475569}\
.w{fill:none;stroke-width:1.6;stroke-linejoin:round}\
.f{fill:#f8fafc;stroke:#94a3b8}";

/// The text of an SVG file.
pub fn write(topology: &Topology) -> String {
    let drawing = draw(topology);
    let Drawing { width, height, .. } = drawing;
    let width = width.max(320.0);
    let mut svg = String::new();
    // Writing to a String cannot fail.
    let _ = write!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\">\n<title>pipework</title>\n<style>{STYLE}</style>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
    );
    for (x, heading) in &drawing.headings {
        let y = MARGIN + 12.0;
        let _ = writeln!(
            svg,
            "<text class=\"h\" x=\"{x:.0}\" y=\"{y:.0}\">{heading}</text>"
        );
    }
    if drawing.boxes.is_empty() {
        let _ = writeln!(
            svg,
            "<text class=\"h\" x=\"{MARGIN}\" y=\"{MARGIN}\">nothing to draw</text>"
        );
    }
    drawing.ways.iter().for_each(|way| line(&mut svg, way));
    drawing
        .frames
        .iter()
        .for_each(|frame| rack(&mut svg, frame));
    drawing
        .boxes
        .iter()
        .for_each(|placed| node(&mut svg, placed));
    svg + "</svg>\n"
}

fn line(svg: &mut String, way: &Way) {
    let points = way.points.iter().map(|(x, y)| format!("{x:.1},{y:.1}"));
    let points: Vec<String> = points.collect();
    let stroke = LINES.get(way.from % LINES.len()).unwrap_or(&"#64748b");
    let points = points.join(" ");
    let _ = writeln!(
        svg,
        "<polyline class=\"w\" stroke=\"{stroke}\" points=\"{points}\"/>"
    );
}

fn rack(svg: &mut String, frame: &Frame) {
    let Frame {
        x,
        y,
        width,
        height,
        count,
    } = frame;
    let (at, line) = (x + PAD, y + 17.0);
    let _ = writeln!(
        svg,
        "<rect class=\"f\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"6\"/>\n\
         <text class=\"h\" x=\"{at:.1}\" y=\"{line:.1}\">{count} containers</text>"
    );
}

fn node(svg: &mut String, placed: &Placed<'_>) {
    let Placed {
        node,
        x,
        y,
        width,
        height,
    } = placed;
    let (fill, edge) = (colour(node.kind), border(node.kind));
    let dash = if node.lives {
        ""
    } else {
        " stroke-dasharray=\"4 3\""
    };
    let state = match (node.lives, node.kind) {
        (true, _) => "",
        (false, Kind::Container) => " (gone)",
        (false, Kind::Nic | Kind::Bond | Kind::Vlan | Kind::Bridge | Kind::OvsBridge) => " (down)",
    };
    let whole: Vec<String> = std::iter::once(&node.name)
        .chain(&node.lines)
        .map(|line| escaped(line))
        .collect();
    let _ = writeln!(
        svg,
        "<g><title>{}{state}</title>\n<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" \
         height=\"{height:.1}\" rx=\"5\" fill=\"{fill}\" stroke=\"{edge}\"{dash}/>",
        whole.join("\n"),
    );
    let at = x + PAD;
    let name = y + PAD + NAME - 7.0;
    let _ = writeln!(
        svg,
        "<text class=\"n\" x=\"{at:.1}\" y=\"{name:.1}\">{}</text>",
        shown(&node.name)
    );
    for (number, text) in node.lines.iter().enumerate() {
        let line = y + PAD + NAME + (number as f64) * LINE + 8.0;
        let _ = writeln!(
            svg,
            "<text class=\"l\" x=\"{at:.1}\" y=\"{line:.1}\">{}</text>",
            shown(text)
        );
    }
    svg.push_str("</g>\n");
}

/// A text as far as it is drawn; the whole is the box's tooltip.
fn shown(text: &str) -> String {
    match text.char_indices().nth(MOST_CHARACTERS) {
        None => escaped(text),
        Some(_) => {
            let start: String = text.chars().take(MOST_CHARACTERS - 1).collect();
            format!("{}…", escaped(&start))
        }
    }
}

/// Text as XML takes it; control characters are gone by now.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

fn border(kind: Kind) -> &'static str {
    match kind {
        Kind::Nic => "#64748b",
        Kind::Bond => "#78716c",
        Kind::Vlan => "#d97706",
        Kind::Bridge => "#2563eb",
        Kind::OvsBridge => "#7c3aed",
        Kind::Container => "#16a34a",
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
