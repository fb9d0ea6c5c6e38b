//! Calls and answers in the form of ttrpc, gRPC without HTTP
//! (<https://github.com/containerd/ttrpc>, PROTOCOL.md). Every call of NRI is
//! unary: one message there, one back.

use super::mux;

/// Bytes before each message.
const HEADER: usize = 10;
/// No message is longer (ttrpc's messageLengthMax).
const LONGEST: usize = 4 << 20;
const REQUEST: u8 = 1;
const RESPONSE: u8 = 2;

/// A message, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The call that it belongs to; odd numbers, as clients count.
    pub stream: u32,
    /// Which way it goes.
    pub direction: Direction,
    /// What it says.
    pub payload: Vec<u8>,
}

/// Which way a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From who calls.
    Request,
    /// From who was called.
    Response,
}

/// Why a stream is none of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TtrpcError {
    /// Longer than any may be.
    #[error("a message of {0} bytes")]
    TooLong(usize),
    /// Neither request nor response: streams, which NRI does not use.
    #[error("a message of type {0}")]
    Type(u8),
}

/// Puts messages together, however they come.
#[derive(Debug, Default)]
pub struct Assembler {
    buffer: Vec<u8>,
}

impl Assembler {
    /// Takes the next bytes, and returns the messages that are whole by then.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Vec<Message>, TtrpcError> {
        self.buffer.extend_from_slice(bytes);
        let mut messages = Vec::new();
        while let Some(message) = self.next()? {
            messages.push(message);
        }
        Ok(messages)
    }

    fn next(&mut self) -> Result<Option<Message>, TtrpcError> {
        let Some((header, rest)) = self.buffer.split_first_chunk::<HEADER>() else {
            return Ok(None);
        };
        let [a, b, c, d, e, f, g, h, kind, _flags] = *header;
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        if length > LONGEST {
            return Err(TtrpcError::TooLong(length));
        }
        let direction = match kind {
            REQUEST => Direction::Request,
            RESPONSE => Direction::Response,
            other => return Err(TtrpcError::Type(other)),
        };
        let Some(payload) = rest.get(..length) else {
            return Ok(None);
        };
        let message = Message {
            stream: u32::from_be_bytes([e, f, g, h]),
            direction,
            payload: payload.to_vec(),
        };
        self.buffer.drain(..HEADER + length);
        Ok(Some(message))
    }
}

impl Message {
    /// Its bytes on a connection of the multiplexer. The header has a frame of
    /// its own: the runtime reads by 4,096 bytes, and a header together with a
    /// payload that does not fit ends the connection.
    pub fn frames(&self, connection: u32) -> Result<Vec<u8>, TtrpcError> {
        let length = self.payload.len();
        if length > LONGEST {
            return Err(TtrpcError::TooLong(length));
        }
        let mut header = Vec::with_capacity(HEADER);
        header.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
        header.extend_from_slice(&self.stream.to_be_bytes());
        header.push(match self.direction {
            Direction::Request => REQUEST,
            Direction::Response => RESPONSE,
        });
        header.push(0);
        let mut out = Vec::with_capacity(length + 26);
        mux::frame(connection, &header, &mut out);
        if length > 0 {
            mux::frame(connection, &self.payload, &mut out);
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(stream: u32, length: usize) -> Message {
        Message {
            stream,
            direction: Direction::Request,
            payload: vec![7; length],
        }
    }

    fn bytes(message: &Message) -> Vec<u8> {
        let mut out = Vec::new();
        let frames = message.frames(1).unwrap();
        mux::Demultiplexer::default()
            .feed(&frames, |_, bytes| out.extend_from_slice(bytes))
            .unwrap();
        out
    }

    #[test]
    fn messages_come_out_wherever_they_are_cut() {
        let both = [message(1, 3), message(3, 0)];
        let all = both.iter().flat_map(bytes).collect::<Vec<u8>>();
        for cut in 0..=all.len() {
            let mut assembler = Assembler::default();
            let mut heard = assembler.feed(&all[..cut]).unwrap();
            heard.extend(assembler.feed(&all[cut..]).unwrap());
            assert_eq!(heard, both, "{cut}");
        }
    }

    #[test]
    fn the_header_is_a_frame_of_its_own() {
        let frames = message(1, 200_000).frames(2).unwrap();
        assert_eq!(frames[4..8], 10_u32.to_be_bytes());
        assert_eq!(frames[22..26], 200_000_u32.to_be_bytes());
    }

    #[test]
    fn what_is_too_long_is_neither_sent_nor_kept() {
        let longer = LONGEST + 1;
        let refused = message(1, longer).frames(1);
        assert_eq!(refused, Err(TtrpcError::TooLong(longer)));
        let mut header = u32::try_from(longer).unwrap().to_be_bytes().to_vec();
        header.extend([0, 0, 0, 1, 1, 0]);
        let refused = Assembler::default().feed(&header);
        assert_eq!(refused, Err(TtrpcError::TooLong(longer)));
    }

    #[test]
    fn streams_are_refused() {
        let refused = Assembler::default().feed(&[0, 0, 0, 0, 0, 0, 0, 1, 3, 0]);
        assert_eq!(refused, Err(TtrpcError::Type(3)));
    }
}
