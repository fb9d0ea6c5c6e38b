//! What a file is and what it is to become, as `diff -u` shows it.

use std::path::Path;

/// Lines around a change.
const CONTEXT: usize = 3;
/// Texts with more pairs of differing lines than this are shown as one change.
const MOST_PAIRS: usize = 4_000_000;

/// A line of both, of the old text or of the new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line<'t> {
    Both(&'t str),
    Old(&'t str),
    New(&'t str),
}

/// The change of the file at `path`; nothing where there is none. `None` is a file
/// that is not there.
pub(super) fn unified(path: &Path, old: Option<&str>, new: Option<&str>) -> String {
    if old == new {
        return String::new();
    }
    let name = |text: Option<&str>| match text {
        Some(_) => path.display().to_string(),
        None => "/dev/null".to_owned(),
    };
    let mut text = format!("--- {}\n+++ {}\n", name(old), name(new));
    let old: Vec<&str> = old.unwrap_or_default().split_inclusive('\n').collect();
    let new: Vec<&str> = new.unwrap_or_default().split_inclusive('\n').collect();
    let lines = compare(&old, &new);
    for (start, end) in hunks(&lines) {
        let before = lines.get(..start).unwrap_or_default();
        let inside = lines.get(start..end).unwrap_or_default();
        let range = |is: fn(&&Line<'_>) -> bool| {
            let first = before.iter().filter(is).count();
            match inside.iter().filter(is).count() {
                0 => format!("{first},0"),
                1 => format!("{}", first + 1),
                count => format!("{},{count}", first + 1),
            }
        };
        let of_old = range(|line| !matches!(line, Line::New(_)));
        let of_new = range(|line| !matches!(line, Line::Old(_)));
        text.push_str(&format!("@@ -{of_old} +{of_new} @@\n"));
        for line in inside {
            let (mark, line) = match line {
                Line::Both(line) => (' ', line),
                Line::Old(line) => ('-', line),
                Line::New(line) => ('+', line),
            };
            text.push(mark);
            text.push_str(line);
            if !line.ends_with('\n') {
                text.push_str("\n\\ No newline at end of file\n");
            }
        }
    }
    text
}

/// Changes with their surroundings, as ranges of lines; those that touch are one.
fn hunks(lines: &[Line<'_>]) -> Vec<(usize, usize)> {
    let mut hunks: Vec<(usize, usize)> = Vec::new();
    let changes = lines.iter().enumerate();
    for (at, _) in changes.filter(|(_, line)| !matches!(line, Line::Both(_))) {
        let (start, end) = (
            at.saturating_sub(CONTEXT),
            (at + 1 + CONTEXT).min(lines.len()),
        );
        match hunks.last_mut() {
            Some(last) if start <= last.1 => last.1 = end,
            _ => hunks.push((start, end)),
        }
    }
    hunks
}

fn compare<'t>(old: &[&'t str], new: &[&'t str]) -> Vec<Line<'t>> {
    let same = |(a, b): &(&&str, &&str)| a == b;
    let head = old.iter().zip(new).take_while(same).count();
    let (old_rest, new_rest) = (
        old.get(head..).unwrap_or_default(),
        new.get(head..).unwrap_or_default(),
    );
    let tails = old_rest.iter().rev().zip(new_rest.iter().rev());
    let tail = tails.take_while(same).count();
    let middle = |lines: &[&'t str]| -> Vec<&'t str> {
        let end = lines.len() - tail;
        lines.get(..end).unwrap_or_default().to_vec()
    };
    let mut lines: Vec<Line> = old.iter().take(head).map(|line| Line::Both(line)).collect();
    lines.extend(differing(&middle(old_rest), &middle(new_rest)));
    let after = old.iter().skip(old.len() - tail);
    lines.extend(after.map(|line| Line::Both(line)));
    lines
}

/// By the longest sequence of lines that both have.
fn differing<'t>(old: &[&'t str], new: &[&'t str]) -> Vec<Line<'t>> {
    let width = new.len() + 1;
    if old.len().saturating_mul(new.len()) > MOST_PAIRS {
        let gone = old.iter().map(|line| Line::Old(line));
        return gone.chain(new.iter().map(|line| Line::New(line))).collect();
    }
    // How many lines both have from here on.
    let mut common = vec![0_usize; (old.len() + 1) * width];
    let at = |table: &[usize], i: usize, j: usize| table.get(i * width + j).copied().unwrap_or(0);
    for (i, a) in old.iter().enumerate().rev() {
        for (j, b) in new.iter().enumerate().rev() {
            let best = match a == b {
                true => at(&common, i + 1, j + 1) + 1,
                false => at(&common, i + 1, j).max(at(&common, i, j + 1)),
            };
            if let Some(place) = common.get_mut(i * width + j) {
                *place = best;
            }
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut lines = Vec::new();
    loop {
        match (old.get(i), new.get(j)) {
            (Some(a), Some(b)) if a == b => {
                lines.push(Line::Both(a));
                (i, j) = (i + 1, j + 1);
            }
            (Some(a), b) if b.is_none() || at(&common, i + 1, j) >= at(&common, i, j + 1) => {
                lines.push(Line::Old(a));
                i += 1;
            }
            (_, Some(b)) => {
                lines.push(Line::New(b));
                j += 1;
            }
            (_, None) => return lines,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_shown_with_three_lines_around_it() {
        let old = "a\nb\nc\nd\ne\nf\ng\nh\n";
        let new = "a\nb\nc\nd\nE\nf\ng\nh\n";
        assert_eq!(
            unified(Path::new("/x"), Some(old), Some(new)),
            "--- /x\n+++ /x\n@@ -2,7 +2,7 @@\n b\n c\n d\n-e\n+E\n f\n g\n h\n"
        );
    }

    #[test]
    fn a_new_file_comes_from_nothing_and_a_missing_newline_is_told() {
        assert_eq!(
            unified(Path::new("/x"), None, Some("a")),
            "--- /dev/null\n+++ /x\n@@ -0,0 +1 @@\n+a\n\\ No newline at end of file\n"
        );
        assert_eq!(unified(Path::new("/x"), Some("a"), Some("a")), "");
    }

    #[test]
    fn two_changes_that_are_far_apart_are_two_hunks() {
        let old: String = (0..20).map(|n| format!("{n}\n")).collect();
        let new = old.replace("\n2\n", "\n2\nx\n").replace("17\n", "");
        let diff = unified(Path::new("/x"), Some(&old), Some(&new));
        assert_eq!(diff.matches("@@ -").count(), 2, "{diff}");
        assert!(diff.contains("+x\n") && diff.contains("-17\n"));
    }
}
