//! What the ConfigMap of the example for Kubernetes holds.

const MANIFEST: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/packaging/kubernetes/configmap.yaml"
);

/// What stands behind a key of it, which there must be, without its indentation.
pub fn in_config_map(key: &str) -> String {
    let manifest = std::fs::read_to_string(MANIFEST).unwrap();
    let (_, after) = manifest.split_once(&format!("  {key}: |\n")).unwrap();
    let lines = after
        .lines()
        .take_while(|line| line.is_empty() || line.starts_with("    "));
    lines
        .map(|line| format!("{}\n", line.trim_start_matches("    ")))
        .collect()
}
