//! What of a run is not as its row says, wherever the container is.

use super::table::{Case, Look};

/// What a program said, and what it ended with.
pub struct Said {
    /// The exit code; `None` where a signal ended it.
    pub code: Option<i32>,
    /// All of its standard output.
    pub stdout: String,
    /// All of its standard error.
    pub stderr: String,
}

/// Where one looks, and with what.
#[derive(Clone, Copy)]
pub enum Sight {
    /// In the container, with `ip`.
    Guest,
    /// On the host.
    Host,
    /// There too, with `bridge`.
    Bridge,
    /// There too, with `ovs-vsctl`.
    Switch,
}

/// Everything that is not as the row says, which has been filled. `look` runs a
/// command, or fails with what it says.
pub fn faults(
    case: &Case,
    said: &Said,
    look: &dyn Fn(Sight, &str) -> Result<String, String>,
) -> Vec<String> {
    let mut faults = Vec::new();
    if said.code != Some(case.code) {
        faults.push(format!("code {:?}", said.code));
    }
    let streams = [
        ("stdout", &said.stdout, &case.stdout),
        ("stderr", &said.stderr, &case.stderr),
    ];
    for (stream, said, wanted) in streams {
        let missing = wanted.iter().find(|line| !said.contains(*line));
        faults.extend(missing.map(|line| format!("{stream} lacks {line}")));
        if case.silent && !said.is_empty() {
            faults.push(format!("{stream} says {said}"));
        }
    }
    let lines = said.stdout.lines().count();
    if case.lines.is_some_and(|wanted| wanted != lines) {
        faults.push(format!("{lines} lines on stdout"));
    }
    let looks = [
        (Sight::Host, &case.host),
        (Sight::Bridge, &case.bridge),
        (Sight::Switch, &case.ovs),
        (Sight::Guest, &case.guest),
    ];
    for (sight, looks) in looks {
        let faulty = |wanted: &Look| not_so(wanted, look(sight, &wanted.command));
        faults.extend(looks.iter().filter_map(faulty));
    }
    faults
}

fn not_so(look: &Look, said: Result<String, String>) -> Option<String> {
    let command = &look.command;
    match said {
        Ok(said) => {
            (said.contains(&look.text) != look.there).then(|| format!("{command} says {said}"))
        }
        Err(why) => Some(format!("{command} fails: {why}")),
    }
}
