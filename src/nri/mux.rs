//! Several connections over one stream (NRI's pkg/net/multiplex): each frame is
//! the number of its connection, the length of what follows, and that.
//!
//! What is received is passed on as it comes, so a length that somebody made up
//! costs no memory.

/// On it the runtime calls the plugin.
pub const PLUGIN_SERVICE: u32 = 1;
/// On it the plugin calls the runtime.
pub const RUNTIME_SERVICE: u32 = 2;

const HEADER: usize = 8;
/// No frame of any release is longer, in bytes: 16 MiB up to 0.6, about 4 MiB
/// since.
const LONGEST: u32 = 16 << 20;

/// Why a stream is none of frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a frame of {length} bytes for connection {connection}")]
pub struct TooLong {
    connection: u32,
    length: u32,
}

/// Takes frames apart, however the stream cuts them.
#[derive(Debug, Default)]
pub struct Demultiplexer {
    header: Vec<u8>,
    connection: u32,
    left: usize,
}

impl Demultiplexer {
    /// Takes the next bytes of the stream, and passes what is in them to
    /// `deliver`, with the number of the connection. After an error the stream
    /// cannot be read any more.
    pub fn feed(
        &mut self,
        mut bytes: &[u8],
        mut deliver: impl FnMut(u32, &[u8]),
    ) -> Result<(), TooLong> {
        while !bytes.is_empty() {
            if self.left == 0 {
                bytes = self.begin(bytes)?;
                continue;
            }
            let (now, later) = bytes.split_at(self.left.min(bytes.len()));
            deliver(self.connection, now);
            self.left -= now.len();
            bytes = later;
        }
        Ok(())
    }

    fn begin<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], TooLong> {
        let missing = HEADER - self.header.len();
        let (now, later) = bytes.split_at(missing.min(bytes.len()));
        self.header.extend_from_slice(now);
        if let Ok([a, b, c, d, e, f, g, h]) = <[u8; HEADER]>::try_from(self.header.as_slice()) {
            self.header.clear();
            let (connection, length) = (
                u32::from_be_bytes([a, b, c, d]),
                u32::from_be_bytes([e, f, g, h]),
            );
            if length > LONGEST {
                return Err(TooLong { connection, length });
            }
            self.connection = connection;
            self.left = length as usize;
        }
        Ok(later)
    }
}

/// Appends a frame to `out`. A payload is longer than no frame may be.
pub fn frame(connection: u32, payload: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&connection.to_be_bytes());
    // What is longer than a ttrpc message is refused before.
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_out_wherever_the_stream_is_cut() {
        let mut stream = Vec::new();
        frame(1, b"first", &mut stream);
        frame(7, b"", &mut stream);
        frame(2, b"second", &mut stream);
        for cut in 0..=stream.len() {
            let (one, two) = stream.split_at(cut);
            let mut heard = [Vec::new(), Vec::new()];
            let mut demultiplexer = Demultiplexer::default();
            for part in [one, two] {
                demultiplexer
                    .feed(part, |connection, bytes| {
                        heard[connection as usize - 1].extend_from_slice(bytes);
                    })
                    .unwrap();
            }
            assert_eq!(heard, [b"first".to_vec(), b"second".to_vec()], "{cut}");
        }
    }

    #[test]
    fn a_length_beyond_all_bounds_is_refused_before_a_byte_of_it_is_kept() {
        let mut bytes = 1_u32.to_be_bytes().to_vec();
        bytes.extend([0xff; 4]);
        let refused = Demultiplexer::default().feed(&bytes, |_, _| panic!());
        assert!(refused.is_err());
    }
}
