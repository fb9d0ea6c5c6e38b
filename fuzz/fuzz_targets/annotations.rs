//! Bytes from a stranger as annotations: the parser must answer, never panic.
//!
//! A zero byte separates annotations, the first `=` key from value.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pipework::request::annotations;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let pairs = text
        .split('\0')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    match annotations::parse(pairs) {
        Ok(Some(request)) => assert!(!request.attachments.is_empty()),
        Ok(None) => {}
        Err(error) => {
            let _ = (error.to_string(), error.hint());
        }
    }
});
