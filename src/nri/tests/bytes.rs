//! Any bytes, and what was sent cut anywhere.

use prost::Message as _;

use crate::nri::message::{ContainerRequest, Request, StateChangeEvent, SynchronizeRequest};
use crate::nri::mux::{self, PLUGIN_SERVICE};
use crate::nri::ttrpc;

proptest::proptest! {
    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
        let mut assembler = ttrpc::Assembler::default();
        let _ = mux::Demultiplexer::default().feed(&bytes, |_, part| {
            let _ = assembler.feed(part);
        });
        let _ = ttrpc::Assembler::default().feed(&bytes);
        let _ = Request::decode(bytes.as_slice());
        let _ = SynchronizeRequest::decode(bytes.as_slice());
        let _ = StateChangeEvent::decode(bytes.as_slice());
        let _ = ContainerRequest::decode(bytes.as_slice());
    }

    #[test]
    fn what_is_sent_is_what_arrives_wherever_the_stream_is_cut(
        payloads in proptest::collection::vec(proptest::collection::vec(proptest::num::u8::ANY, 0..60), 1..5),
        size in 1_usize..40,
        more in proptest::collection::vec(proptest::num::u8::ANY, 0..30),
    ) {
        let messages = payloads.iter().zip(0..).map(|(payload, stream)| ttrpc::Message {
            stream,
            direction: ttrpc::Direction::Request,
            payload: payload.clone(),
        });
        let messages: Vec<_> = messages.collect();
        let mut stream = Vec::new();
        for message in &messages {
            // What is said on other connections is nothing to this one.
            mux::frame(99, &more, &mut stream);
            stream.extend(message.frames(PLUGIN_SERVICE).unwrap());
        }
        let mut frames = mux::Demultiplexer::default();
        let mut assembler = ttrpc::Assembler::default();
        let mut heard = Vec::new();
        for piece in stream.chunks(size) {
            frames.feed(piece, |connection, part| {
                if connection == PLUGIN_SERVICE {
                    heard.extend(assembler.feed(part).unwrap());
                }
            }).unwrap();
        }
        proptest::prop_assert_eq!(heard, messages);
    }
}
