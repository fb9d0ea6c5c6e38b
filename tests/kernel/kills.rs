//! How the kills of a hook go on from one of its calls to the next.

use std::collections::BTreeMap;
use std::fs;

/// Where the last run of a lab was killed.
pub struct Kills;

/// What strace saw of the last run, and the number that it had.
pub const TRACE: &str = "/run/kill-trace";
pub const LAST: &str = "/run/kill-last";
/// How often each call was made, at the most.
const MADE: &str = "/run/kill-made";

impl Kills {
    /// The number before `call`, and how often each call was made by then; nothing
    /// when `call` begins anew.
    pub fn known(asked: &[&str], call: usize) -> (usize, BTreeMap<String, usize>) {
        let last = fs::read_to_string(LAST).unwrap_or_default();
        let last = last.split_once(' ');
        let last = last.filter(|(_, of)| *of == format!("{asked:?}"));
        let last = last.and_then(|(last, _)| last.parse().ok());
        let Some(last) = last.filter(|last| *last < call) else {
            return (call - 1, BTreeMap::new());
        };
        let made = fs::read_to_string(MADE).unwrap_or_default();
        (last, serde_json::from_str(&made).unwrap_or_default())
    }

    /// Two runs are not alike to the call: what was seen of one counts on, so that
    /// later kills come later.
    pub fn note(mut made: BTreeMap<String, usize>) {
        let mut now: BTreeMap<&str, usize> = BTreeMap::new();
        let trace = fs::read_to_string(TRACE).unwrap();
        for (name, _) in trace.lines().filter_map(|line| line.split_once('(')) {
            *now.entry(name).or_default() += 1;
        }
        for (name, number) in now {
            let most = made.entry(name.to_owned()).or_default();
            *most = number.max(*most);
        }
        fs::write(MADE, serde_json::to_string(&made).unwrap()).unwrap();
    }

    /// How many calls further a run of which most calls are of a few kinds is killed.
    pub fn stride(name: &str, step: usize) -> usize {
        // Each takes seconds there.
        let is_slow = std::env::var_os("PIPEWORK_VM").is_some();
        let step = if is_slow { step * 4 } else { step };
        match name {
            "openat" | "open" | "sendto" | "write" | "fcntl" => step,
            _ => 1 + step / 4,
        }
    }
}
