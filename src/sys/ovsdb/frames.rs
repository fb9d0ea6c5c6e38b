//! Takes a byte stream apart into JSON objects: RFC 7047 §4.1 sends one after
//! the other, with nothing that says how long each is.
//!
//! Only braces and strings are looked at; `serde_json` reads the object itself.

/// The largest message that is taken, in bytes: all rows of a table with tens of
/// thousands of ports.
const MAX_BYTES: usize = 32 << 20;

/// Why a stream holds no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Something other than an object.
    #[error("something that is no JSON object")]
    NoObject,
    /// An object without an end.
    #[error("a message above {MAX_BYTES} bytes")]
    TooLarge,
}

/// Bytes that came, of which whole objects are taken out.
#[derive(Debug, Default)]
pub(super) struct Frames {
    bytes: Vec<u8>,
    /// How many of them have been looked at.
    seen: usize,
    depth: u32,
    in_string: bool,
    escaped: bool,
}

impl Frames {
    /// Adds what was read.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole object; `None` when more has to be read first.
    pub(super) fn take(&mut self) -> Result<Option<Vec<u8>>, FrameError> {
        if self.seen == 0 {
            let blank = self.bytes.iter().take_while(|b| b.is_ascii_whitespace());
            let blank = blank.count();
            self.bytes.drain(..blank);
        }
        while let Some(byte) = self.bytes.get(self.seen).copied() {
            if self.depth == 0 && byte != b'{' {
                return Err(FrameError::NoObject);
            }
            self.seen += 1;
            self.look_at(byte);
            if self.depth == 0 {
                let rest = self.bytes.split_off(self.seen);
                self.seen = 0;
                return Ok(Some(std::mem::replace(&mut self.bytes, rest)));
            }
        }
        if self.bytes.len() > MAX_BYTES {
            return Err(FrameError::TooLarge);
        }
        Ok(None)
    }

    fn look_at(&mut self, byte: u8) {
        match byte {
            _ if self.escaped => self.escaped = false,
            b'\\' if self.in_string => self.escaped = true,
            b'"' => self.in_string = !self.in_string,
            b'{' if !self.in_string => self.depth += 1,
            b'}' if !self.in_string => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(frames: &mut Frames) -> Vec<String> {
        let mut found = Vec::new();
        while let Some(object) = frames.take().unwrap() {
            found.push(String::from_utf8(object).unwrap());
        }
        found
    }

    #[test]
    fn objects_that_follow_each_other_are_taken_apart() {
        let mut frames = Frames::default();
        frames.push(b" {\"a\":{}}\n{\"b\":1}{");
        assert_eq!(all(&mut frames), ["{\"a\":{}}", "{\"b\":1}"]);
        frames.push(b"}");
        assert_eq!(all(&mut frames), ["{}"]);
    }

    #[test]
    fn braces_and_quotes_inside_of_strings_end_nothing() {
        let text = r#"{"a":"}\"}\\","b":"{"}"#;
        let mut frames = Frames::default();
        frames.push(text.as_bytes());
        assert_eq!(all(&mut frames), [text]);
    }

    #[test]
    fn an_object_may_come_byte_by_byte() {
        let text = r#"{"a":["set",["\\"]],"é":{"b":{}}}"#;
        let mut frames = Frames::default();
        let mut found = Vec::new();
        for byte in text.bytes() {
            frames.push(&[byte]);
            found.extend(all(&mut frames));
        }
        assert_eq!(found, [text]);
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for text in ["x", "[]", "}", "\"{}\"", "{}1"] {
            let mut frames = Frames::default();
            frames.push(text.as_bytes());
            let last = loop {
                match frames.take() {
                    Ok(Some(_)) => {}
                    other => break other,
                }
            };
            assert_eq!(last, Err(FrameError::NoObject), "{text}");
        }
    }

    #[test]
    fn an_object_without_end_is_refused_in_time() {
        let mut frames = Frames::default();
        frames.push(b"{\"");
        frames.push(&vec![b'x'; MAX_BYTES]);
        assert_eq!(frames.take(), Err(FrameError::TooLarge));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_taken_or_refused(bytes: Vec<u8>) {
            let mut frames = Frames::default();
            frames.push(&bytes);
            while let Ok(Some(object)) = frames.take() {
                proptest::prop_assert_eq!(object.first(), Some(&b'{'));
            }
        }
    }
}
