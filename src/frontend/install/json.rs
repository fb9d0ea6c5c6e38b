//! Settings in JSON, such as Docker's daemon.json, added and taken out by text:
//! order, indentation and every byte of what is not ours stay.
//!
//! No library does that without accepting more than JSON, which dockerd refuses.
//! So serde_json judges the text before and after, and what is in between is only
//! where members begin and end in a text that is known to be good.

use std::ops::Range;

use serde_json::{Map, Value};

use super::setting::{EditError, Form, Set, Setting, is_ours};

/// JSON.
pub(super) struct Json;

impl Form for Json {
    fn set(text: &str, setting: &Setting) -> Result<Option<(String, Set)>, EditError> {
        let Setting {
            path,
            value,
            existing,
        } = setting;
        let set = |former, made| setting.done(former, made);
        if text.trim().is_empty() {
            let text = format!("{:#}\n", nested(path, value));
            return Ok(Some((text, set(None, path.len().saturating_sub(1)))));
        }
        check(text)?;
        let mut object = root(text)?;
        for (depth, name) in path.iter().enumerate() {
            let rest = path.get(depth + 1..).unwrap_or_default();
            let Some(member) = object.member(name) else {
                let text = insert(text, &object, name, &nested(rest, value));
                check(&text)?;
                return Ok(Some((text, set(None, rest.len()))));
            };
            let at = member.value.clone();
            let now = parse(text, &at)?;
            if !rest.is_empty() {
                let inner = Scanner::at(text, at.start).object();
                object = inner.ok_or_else(|| taken(path, &now))?;
            } else if now == *value {
                return Ok(None);
            } else if !existing.gives_way(&now) {
                return Err(taken(path, &now));
            } else {
                let text = replace(text, &at, &value.to_string());
                check(&text)?;
                return Ok(Some((text, set(Some(now), 0))));
            }
        }
        Err(EditError::NotKept)
    }

    fn unset(text: &str, set: &Set) -> Result<String, EditError> {
        check(text)?;
        let Some((object, place)) = locate(text, &set.path)? else {
            return Ok(text.to_owned());
        };
        let Some(member) = object.members.get(place) else {
            return Ok(text.to_owned());
        };
        if !is_ours(set, &parse(text, &member.value)?) {
            return Ok(text.to_owned());
        }
        if let Some(former) = &set.former {
            let text = replace(text, &member.value, &former.to_string());
            return check(&text).map(|()| text);
        }
        let mut text = remove(text, &object, place);
        for count in 1..=set.made {
            let kept = set.path.len().saturating_sub(count);
            let around = set.path.get(..kept).unwrap_or_default();
            let Some((object, place)) = locate(&text, around)? else {
                break;
            };
            let inner = object.members.get(place).map(|m| parse(&text, &m.value));
            match inner.transpose()? {
                Some(Value::Object(inner)) if inner.is_empty() => {
                    text = remove(&text, &object, place);
                }
                _ => break,
            }
        }
        check(&text).map(|()| text)
    }

    fn is_empty(text: &str) -> bool {
        let value = serde_json::from_str::<Value>(text);
        text.trim().is_empty() || value.is_ok_and(|value| value == Value::Object(Map::new()))
    }
}

/// Whether the text is one object, as settings are.
fn check(text: &str) -> Result<(), EditError> {
    let malformed = |line, column, what: String| EditError::Malformed { line, column, what };
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(_)) => Ok(()),
        Ok(_) => Err(malformed(1, 1, "no object".to_owned())),
        Err(error) => {
            let what = error.to_string();
            let what = what.split(" at line ").next().unwrap_or_default();
            Err(malformed(error.line(), error.column(), what.to_owned()))
        }
    }
}

fn taken(path: &[String], now: &Value) -> EditError {
    EditError::Taken {
        key: path.join("."),
        has: now.to_string(),
    }
}

fn nested(path: &[String], value: &Value) -> Value {
    let names = path.iter().rev();
    names.fold(value.clone(), |inner, name| {
        Value::Object(Map::from_iter([(name.clone(), inner)]))
    })
}

/// The object that holds what `path` names, and its place in there.
fn locate(text: &str, path: &[String]) -> Result<Option<(Object, usize)>, EditError> {
    let Some((last, around)) = path.split_last() else {
        return Ok(None);
    };
    let mut object = root(text)?;
    for name in around {
        let inner = object.member(name).map(|member| member.value.start);
        match inner.and_then(|start| Scanner::at(text, start).object()) {
            Some(inner) => object = inner,
            None => return Ok(None),
        }
    }
    let place = object.members.iter().rposition(|m| m.name == *last);
    Ok(place.map(|place| (object, place)))
}

fn root(text: &str) -> Result<Object, EditError> {
    let object = Scanner::at(text, 0).object();
    object.ok_or(EditError::NotKept)
}

fn parse(text: &str, at: &Range<usize>) -> Result<Value, EditError> {
    let text = text.get(at.clone()).unwrap_or_default();
    serde_json::from_str(text).map_err(|_| EditError::NotKept)
}

fn replace(text: &str, at: &Range<usize>, by: &str) -> String {
    let before = text.get(..at.start).unwrap_or_default();
    let after = text.get(at.end..).unwrap_or_default();
    format!("{before}{by}{after}")
}

/// Adds a member behind the others, in their way.
fn insert(text: &str, object: &Object, name: &str, value: &Value) -> String {
    let name = Value::from(name);
    let Some(last) = object.members.last() else {
        let after = object.open + 1;
        let inside = text.get(after..object.close).unwrap_or_default();
        let member = match inside.rfind('\n') {
            // The bracket stands alone on its line.
            Some(line) => {
                let outer = inside.get(line + 1..).unwrap_or_default();
                let indent = format!("{outer}  ");
                format!("\n{indent}{name}: {}", pretty(value, &indent, "  "))
            }
            None => format!("{name}: {value}"),
        };
        return replace(text, &(after..after), &member);
    };
    let at = last.value.end..last.value.end;
    let before = text.get(..last.start).unwrap_or_default();
    let line = before.rsplit('\n').next().unwrap_or_default();
    let is_on_its_own = line.chars().all(char::is_whitespace) && before.contains('\n');
    let member = match is_on_its_own {
        true => format!(",\n{line}{name}: {}", pretty(value, line, unit(line))),
        false => format!(", {name}: {value}"),
    };
    replace(text, &at, &member)
}

/// One step of an indentation that is at least one step deep.
fn unit(indent: &str) -> &str {
    match indent.len() {
        _ if indent.starts_with('\t') => "\t",
        3 | 4 | 8 => indent.get(..4).unwrap_or(indent),
        _ => "  ",
    }
}

fn pretty(value: &Value, indent: &str, unit: &str) -> String {
    let text = format!("{value:#}");
    let lines = text.lines().map(|line| {
        let inner = line.trim_start_matches(' ');
        let depth = (line.len() - inner.len()) / 2;
        format!("{}{inner}", unit.repeat(depth))
    });
    lines.collect::<Vec<_>>().join(&format!("\n{indent}"))
}

/// Takes a member out, with the comma that is too much then.
fn remove(text: &str, object: &Object, place: usize) -> String {
    let Some(member) = object.members.get(place) else {
        return text.to_owned();
    };
    let before = place.checked_sub(1).and_then(|p| object.members.get(p));
    let at = match (before, object.members.get(place + 1)) {
        (Some(before), _) => before.value.end..member.value.end,
        (None, Some(after)) => member.start..after.start,
        (None, None) => object.open + 1..member.value.end,
    };
    replace(text, &at, "")
}

/// Where an object begins and ends, and what is in it.
struct Object {
    /// The place of its opening bracket.
    open: usize,
    /// That of the closing one.
    close: usize,
    members: Vec<Member>,
}

struct Member {
    name: String,
    /// Where its name begins.
    start: usize,
    value: Range<usize>,
}

impl Object {
    /// Of two members of a name the later one counts, as in Go and in serde.
    fn member(&self, name: &str) -> Option<&Member> {
        self.members.iter().rev().find(|member| member.name == name)
    }
}

/// Goes over a text that is known to be JSON.
struct Scanner<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Scanner<'t> {
    fn at(text: &'t str, at: usize) -> Self {
        Self { text, at }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_blanks(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    fn object(&mut self) -> Option<Object> {
        self.skip_blanks();
        let open = self.at;
        (self.peek()? == b'{').then_some(())?;
        self.at += 1;
        let mut members = Vec::new();
        loop {
            self.skip_blanks();
            match self.peek()? {
                b'}' => break,
                b',' => self.at += 1,
                b'"' => members.push(self.member()?),
                _ => return None,
            }
        }
        Some(Object {
            open,
            close: self.at,
            members,
        })
    }

    fn member(&mut self) -> Option<Member> {
        let start = self.at;
        self.string();
        let name = serde_json::from_str(self.text.get(start..self.at)?).ok()?;
        self.skip_blanks();
        (self.peek()? == b':').then_some(())?;
        self.at += 1;
        self.skip_blanks();
        let value = self.at;
        self.value();
        Some(Member {
            name,
            start,
            value: value..self.at,
        })
    }

    fn string(&mut self) {
        self.at += 1;
        while let Some(byte) = self.peek() {
            self.at += if byte == b'\\' { 2 } else { 1 };
            if byte == b'"' {
                return;
            }
        }
    }

    fn value(&mut self) {
        let mut depth = 0_usize;
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => self.string(),
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' if depth > 0 => {
                    depth -= 1;
                    self.at += 1;
                }
                b'}' | b']' | b',' if depth == 0 => return,
                byte if depth == 0 && byte.is_ascii_whitespace() => return,
                _ => self.at += 1,
            }
            if depth == 0 && matches!(byte, b'"' | b'}' | b']') {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests;
