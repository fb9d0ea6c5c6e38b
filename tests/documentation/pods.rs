//! What is written about pods begins with what is not closed.

use super::read;

/// Of the paragraph behind a heading, the lines up to the first empty one.
fn first_paragraph(text: &str, heading: &str) -> String {
    let (_, after) = text.split_once(heading).expect(heading);
    let lines = after.lines().skip_while(|line| line.trim().is_empty());
    let lines: Vec<&str> = lines
        .take_while(|line| !line.is_empty() && *line != ".PP")
        .collect();
    lines.join(" ")
}

#[test]
fn the_first_paragraph_about_pods_says_that_nri_does_not_fail_closed_and_what_does() {
    let readme = read("README.md");
    let manual = read("packaging/man/pipework-nri.8");
    let pods = first_paragraph(&readme, "\n## Pods\n");
    assert!(
        pods.starts_with("**The Node Resource Interface does not fail closed**"),
        "{pods}"
    );
    assert!(pods.contains("pipework-nri(8)"), "{pods}");
    let kubernetes = first_paragraph(&read("docs/kubernetes.md"), "# Kubernetes\n");
    assert!(
        kubernetes.contains("**What is not closed**: NRI lets a pod run without its plugin"),
        "{kubernetes}"
    );
    let description = first_paragraph(&manual, "\n.SH DESCRIPTION\n");
    assert!(
        description
            .starts_with(".B The Node Resource Interface lets a pod run without its plugin."),
        "{description}"
    );
    // What closes it, by release.
    let (_, closed) = manual.split_once("\n.SH FAIL-CLOSED\n").unwrap();
    for word in [
        "required_plugins",
        "containerd 2.2",
        "containerd 1.7 to 2.1",
    ] {
        assert!(closed.contains(word), "{word}");
    }
}
