//! Any bytes as the state that a runtime passes on stdin: decoded, and its
//! annotations parsed, as the hook does before it touches anything.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pipework::frontend::hook::parse_state;
use pipework::policy::Caller;
use pipework::request::annotations;

fuzz_target!(|bytes: &[u8]| {
    let Ok(state) = parse_state(bytes) else {
        return;
    };
    let _ = Caller::of(state.annotations());
    if let Err(error) = annotations::parse(state.annotations()) {
        let text = error.to_string();
        assert!(!text.contains('\n'), "a report's first line is one line");
        let _ = error.hint();
    }
});
