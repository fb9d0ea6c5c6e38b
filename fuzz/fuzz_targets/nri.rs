//! Any bytes as what a runtime sends over NRI, cut anywhere: frames, messages in
//! them, and what is in those.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pipework::nri::message::{ContainerRequest, Request, StateChangeEvent, SynchronizeRequest};
use pipework::nri::mux::{Demultiplexer, PLUGIN_SERVICE};
use pipework::nri::ttrpc::{Assembler, Message};
use prost::Message as _;

/// The messages in a stream that comes in pieces of `size` bytes, up to the first
/// that is none.
fn messages(bytes: &[u8], size: usize) -> Vec<Message> {
    let (mut frames, mut assembler) = (Demultiplexer::default(), Assembler::default());
    let mut all = Vec::new();
    for piece in bytes.chunks(size) {
        let mut is_over = false;
        let fed = frames.feed(piece, |connection, part| {
            if connection == PLUGIN_SERVICE && !is_over {
                // An error says nothing of the messages before it in the same piece.
                match assembler.feed(part) {
                    Ok(more) => all.extend(more),
                    Err(_) => is_over = true,
                }
            }
        });
        if fed.is_err() || is_over {
            break;
        }
    }
    all
}

fuzz_target!(|bytes: &[u8]| {
    let whole = messages(bytes, bytes.len().max(1));
    let in_bytes = messages(bytes, 1);
    assert!(in_bytes.starts_with(&whole));
    for message in &in_bytes {
        let Ok(request) = Request::decode(message.payload.as_slice()) else {
            continue;
        };
        let payload = request.payload.as_slice();
        let _ = SynchronizeRequest::decode(payload);
        let _ = StateChangeEvent::decode(payload);
        let _ = ContainerRequest::decode(payload);
        let mut again = Vec::new();
        let frames = message.frames(PLUGIN_SERVICE).unwrap_or_default();
        let _ = Demultiplexer::default().feed(&frames, |_, part| again.extend_from_slice(part));
        let read = Assembler::default().feed(&again).unwrap_or_default();
        assert_eq!(read.first(), Some(message));
    }
});
