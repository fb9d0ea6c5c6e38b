//! The README's own recipes, for a world that has its bridge, its image and its
//! addresses in their places.

use std::path::Path;

/// What the world has in the place of what the README names.
const PLACES: [(&str, &str); 7] = [
    ("192.168.1.", "10.0.0."),
    ("eth0", "up0"),
    ("image: nginx\n", "image: bb\n    command: /bin/look stay\n"),
    ("image: nginx,", "image: bb, command: /bin/look stay,"),
    ("image: postgres,", "image: bb, command: /bin/look stay,"),
    ("alpine ip addr show eth1", "bb /bin/look"),
    (" nginx\n", " bb /bin/look stay\n"),
];

/// The first block of a language below a heading.
#[track_caller]
pub fn block(heading: &str, language: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (_, below) = text.split_once(&format!("\n### {heading}\n")).unwrap();
    let (section, _) = below.split_once("\n##").unwrap();
    let (_, begins) = section.split_once(&format!("\n```{language}\n")).unwrap();
    let (block, _) = begins.split_once("```").unwrap();
    PLACES
        .iter()
        .fold(block.to_owned(), |block, (there, here)| {
            block.replace(there, here)
        })
}
