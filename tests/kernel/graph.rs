//! `pipework graph` of a real host: every device and container, in every format.

use std::fs;
use std::process::Command;

use crate::support::lab::{Container, Lab, PIPEWORK, has, ip, lab, run};
use crate::support::ovs::Ovs;
use crate::support::skip;

fn graph(format: &str) -> String {
    let mut command = Command::new(PIPEWORK);
    let output = command.args(["graph", "--format", format]).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// A bridge with an address, another one, and containers on one, on both and on
/// a card.
fn furnish(lab: &Lab, containers: usize) -> (Vec<Container>, Vec<String>) {
    lab.bridge("br0");
    lab.bridge("br1");
    ip("addr add 192.0.2.1/24 dev br0");
    let mut expected: Vec<String> = ["br0", "192.0.2.1/24", "br1"].map(str::to_owned).to_vec();
    let mut living = Vec::new();
    for number in 0..containers {
        let name = format!("web-{number}");
        let address = format!("10.0.{}.5/24", number + 1);
        let container = lab.container(&name);
        let asked = [
            "pipework.0.bridge=br0".to_owned(),
            format!("pipework.0.ip={address}"),
            "pipework.1.bridge=br1".to_owned(),
        ];
        let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
        lab.attach(&container, if number == 0 { &asked } else { &asked[..2] })
            .ok();
        expected.extend([name, address]);
        living.push(container);
    }
    (living, expected)
}

#[test]
fn every_device_and_container_is_in_every_format() {
    lab!(|lab| {
        let (_living, expected) = furnish(lab, 3);
        for format in ["svg", "dot", "mermaid"] {
            let text = graph(format);
            for name in &expected {
                assert!(
                    text.contains(name.as_str()),
                    "{format} has no {name}: {text}"
                );
            }
        }
        let dot = graph("dot");
        assert_eq!(dot.matches("[label=\"eth1\"]").count(), 3, "{dot}");
        assert_eq!(dot.matches("[label=\"eth2\"]").count(), 1, "{dot}");
    });
}

/// Reads a PNG of eight bits per channel, and fails where a box of the SVG beside it
/// has no border of its colour, or nothing but its background inside. Prints how
/// many there are.
const LOOK: &str = r##"
import re, struct, sys, zlib
data = open(sys.argv[1], "rb").read()
svg = open(sys.argv[2]).read()
assert data[:8] == b"\x89PNG\r\n\x1a\n"
at, packed = 8, b""
while at < len(data):
    length, kind = struct.unpack(">I4s", data[at:at + 8])
    body = data[at + 8:at + 8 + length]
    if kind == b"IHDR":
        width, height, depth, colours, _, _, interlaced = struct.unpack(">IIBBBBB", body)
        assert depth == 8 and colours in (2, 6) and not interlaced
    packed += body if kind == b"IDAT" else b""
    at += 12 + length
size = 3 if colours == 2 else 4
raw, stride, rows = zlib.decompress(packed), width * size, []
last = bytearray(stride)
for y in range(height):
    start = y * (stride + 1)
    kind, row = raw[start], bytearray(raw[start + 1:start + 1 + stride])
    for x in range(stride):
        left = row[x - size] if x >= size else 0
        above = last[x]
        corner = last[x - size] if x >= size else 0
        guess = left + above - corner
        paeth = min((abs(guess - left), 0, left), (abs(guess - above), 1, above),
                    (abs(guess - corner), 2, corner))[2]
        row[x] = (row[x] + (0, left, above, (left + above) // 2, paeth)[kind]) & 255
    rows.append(row)
    last = row
pixel = lambda x, y: tuple(rows[y][x * size:x * size + 3])
near = lambda one, other: sum(abs(a - b) for a, b in zip(one, other)) < 80
boxes = re.findall(r'<g><title>([^\n<]*)[^<]*</title>\n<rect x="([\d.]+)" y="([\d.]+)" '
                   r'width="([\d.]+)" height="([\d.]+)" rx="5" fill="#(\w+)"', svg)
for name, x, y, w, h, fill in boxes:
    x, y, w, h = (float(n) for n in (x, y, w, h))
    fill = tuple(bytes.fromhex(fill))
    middle = round(y + h / 2)
    border = [pixel(round(x) + d, middle) for d in (-1, 0, 1)]
    # A line between two pixels is half in each.
    assert any(not near(p, fill) and not near(p, (255,) * 3) for p in border), (name, "has no border")
    inside = [pixel(i, j) for i in range(round(x) + 3, round(x + w) - 3)
              for j in range(round(y) + 3, round(y + h) - 3)]
    assert any(near(p, fill) for p in inside), (name, "has no background")
    assert sum(not near(p, fill) for p in inside) > 10, (name, "has no text")
print(len(boxes))
"##;

#[test]
fn the_picture_that_a_renderer_draws_holds_every_node() {
    lab!(|lab| {
        if !has("rsvg-convert", "--version") || !has("python3", "--version") {
            skip!("no rsvg-convert, or no python3 to look at what it draws");
        }
        // More than ten on one bridge stand in a frame.
        let _living = furnish(lab, 14);
        let mut boxes = 2 + 14;
        let mut others = vec![lab.nic("up0"), lab.nic("up1")];
        let mut attached = |name: &str, asked: &str, devices: usize| {
            let container = lab.container(name);
            let outcome = lab.attach(&container, &asked.split(' ').collect::<Vec<_>>());
            outcome.ok();
            others.push(container);
            boxes += 1 + devices;
        };
        if crate::macvlan::is_here() {
            attached("card", "pipework.parent=up0", 1);
        }
        if crate::macvlan::is_here() && crate::vlan::is_here() {
            // A card and the VLAN on it.
            attached("tagged", "pipework.parent=up1 pipework.vlan=100", 2);
        }
        let ovs = Ovs::start(lab);
        if let Ok(ovs) = &ovs {
            ovs.bridge("ovs0");
            attached("ovs", "pipework.ovs=ovs0", 1);
        }
        fs::write("/run/graph.svg", graph("svg")).unwrap();
        run("rsvg-convert", "-o /run/graph.png /run/graph.svg");
        let look = ["-c", LOOK, "/run/graph.png", "/run/graph.svg"];
        let looked = Command::new("python3").args(look).output().unwrap();
        let said = String::from_utf8_lossy(&looked.stdout).into_owned();
        assert!(looked.status.success(), "{looked:?}");
        assert_eq!(said, format!("{boxes}\n"));
    });
}

#[test]
fn a_vlan_stands_between_its_card_and_who_is_plugged_into_it() {
    lab!(|lab| {
        if !crate::vlan::is_here() {
            skip!("kernel has no VLAN devices");
        }
        let _machine = lab.nic("up0");
        let container = lab.container("web");
        let asked = ["pipework.parent=up0", "pipework.vlan=100"];
        lab.attach(&container, &asked).ok();
        let dot = graph("dot");
        // The VLAN's device has its card's name in its own.
        let number = |name: &str, other: &str| {
            let is_it = |line: &&str| line.contains(name) && !line.contains(other);
            let line = dot.lines().find(is_it).expect(&dot);
            line.split_whitespace().next().unwrap().to_owned()
        };
        let card = number("\"up0", "VLAN 100");
        let (vlan, web) = (number("\"up0.100", "->"), number("\"web", "->"));
        for (from, to) in [(&card, &vlan), (&vlan, &web)] {
            assert!(dot.contains(&format!("{from} -> {to}")), "{dot}");
        }
    });
}

#[test]
fn graphviz_reads_what_is_written_for_it() {
    lab!(|lab| {
        if !has("dot", "-V") {
            skip!("no Graphviz");
        }
        let _living = furnish(lab, 3);
        fs::write("/run/graph.dot", graph("dot")).unwrap();
        run("dot", "-Tsvg -o /run/placed.svg /run/graph.dot");
        let placed = fs::read_to_string("/run/placed.svg").unwrap();
        assert_eq!(placed.matches("class=\"node\"").count(), 5, "{placed}");
    });
}

#[test]
fn an_end_of_a_pair_is_drawn_once_something_is_plugged_into_it() {
    lab!(|lab| {
        ip("link add lan0 type veth peer name away");
        ip("link set lan0 up");
        assert!(!graph("dot").contains("lan0"));
        let container = lab.container("web");
        let asked = ["pipework.parent=lan0", "pipework.ip=10.0.0.5/24"];
        lab.attach(&container, &asked).ok();
        let dot = graph("dot");
        assert!(
            dot.contains("lan0") && !dot.contains("not on the host"),
            "{dot}"
        );
        assert!(!dot.contains("away"), "{dot}");
    });
}

#[test]
fn who_is_gone_is_drawn_as_gone_and_other_words_are_refused() {
    lab!(|lab| {
        lab.bridge("br0");
        let mut container = lab.container("web");
        lab.attach(&container, &["pipework.bridge=br0"]).ok();
        container.kill();
        assert!(graph("svg").contains("(gone)"));
        let refused = Command::new(PIPEWORK)
            .args(["graph", "--format", "png"])
            .output();
        assert_eq!(refused.unwrap().status.code(), Some(2));
    });
}
