//! What is printed, as the files that it names.

/// Path and text of each file. One that is to be added to is a file of its own here,
/// with the device that it is about.
pub fn files(printed: &str) -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = Vec::new();
    for line in printed.lines() {
        if let Some(named) = line.strip_prefix("# /etc/") {
            let (path, more) = named.split_at(named.find([':', ',', ';']).unwrap_or(named.len()));
            let text = match more.starts_with(": add to") {
                true => format!("[Match]\nName={}\n\n", device(path)),
                false => String::new(),
            };
            files.push((format!("/etc/{path}"), text));
        } else if let Some((_, text)) = files.last_mut() {
            text.push_str(line);
            text.push('\n');
        }
    }
    assert!(!files.is_empty(), "no file is named:\n{printed}");
    files
}

/// That of `10-eth0.network`.
fn device(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap();
    name.strip_prefix("10-")
        .unwrap()
        .strip_suffix(".network")
        .unwrap()
}

/// What Open vSwitch is to be told once.
pub fn once(printed: &str) -> Option<&str> {
    printed
        .lines()
        .find_map(|line| line.strip_prefix("# once: "))
}
