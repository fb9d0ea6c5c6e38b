//! One question to a daemon that speaks HTTP on a Unix socket: GET or PATCH, and
//! the body of a 200.
//!
//! RFC 9112, as little of it as a local daemon's answer needs: a status line,
//! headers, and a body by length, in chunks, or up to the end of the connection.
//! Time and size are bounded.

use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, UnixAddr, connect, setsockopt, socket, sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike};

use crate::deadline::Deadline;

/// The largest answer, in bytes: thousands of containers.
const MAX_BYTES: usize = 16 << 20;
/// The largest status line with all headers, in bytes.
const MAX_HEAD_BYTES: usize = 64 << 10;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// Nobody listens there, or nobody had time.
    #[error("connecting: {0}")]
    Connect(#[source] io::Error),
    /// The connection broke, or was silent until the deadline.
    #[error("reading the answer: {0}")]
    Io(#[from] io::Error),
    /// More than any daemon has to say.
    #[error("the answer is longer than {} MiB", MAX_BYTES >> 20)]
    TooLarge,
    /// Not HTTP.
    #[error("the answer is no HTTP/1.1")]
    Malformed,
    /// Another status than 200.
    #[error("the answer has status {0}")]
    Status(u16),
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// A request target already (RFC 9112 §3.2).
    pub target: &'a str,
    /// What is to become of it, with its media type: a PATCH (RFC 5789); a GET
    /// has none.
    pub change: Option<(&'a str, &'a str)>,
}

impl Question<'_> {
    fn text(&self) -> String {
        let Self { target, change } = self;
        let method = change.map_or("GET", |_| "PATCH");
        let mut text = format!(
            "{method} {target} HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\nConnection: close\r\n"
        );
        if let Some((kind, body)) = change {
            text += &format!(
                "Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
        } else {
            text += "\r\n";
        }
        text
    }
}

/// Asks who listens at `path` of the file system for `target`.
pub fn get(path: &Path, target: &str, deadline: Deadline) -> Result<Vec<u8>, HttpError> {
    let change = None;
    ask(path, Question { target, change }, deadline)
}

/// Asks who listens at `path` of the file system.
pub fn ask(path: &Path, question: Question<'_>, deadline: Deadline) -> Result<Vec<u8>, HttpError> {
    let mut stream = open(path, deadline).map_err(HttpError::Connect)?;
    stream.set_write_timeout(Some(left(deadline)))?;
    stream.write_all(question.text().as_bytes())?;
    let mut answer = Vec::new();
    let mut piece = vec![0; 16 << 10];
    loop {
        if deadline.has_passed() {
            return Err(io::Error::from(io::ErrorKind::TimedOut).into());
        }
        stream.set_read_timeout(Some(left(deadline)))?;
        let length = match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        answer.extend_from_slice(piece.get(..length).unwrap_or_default());
        if answer.len() > MAX_BYTES {
            return Err(HttpError::TooLarge);
        }
        // Who keeps the connection open has said how long the body is.
        if let Some(body) = body_of(&answer, Stream::Open)? {
            return Ok(body);
        }
    }
    body_of(&answer, Stream::Ended)?.ok_or(HttpError::Malformed)
}

/// A timeout of zero would be none at all.
fn left(deadline: Deadline) -> Duration {
    deadline.remaining().max(Duration::from_millis(1))
}

fn open(path: &Path, deadline: Deadline) -> io::Result<UnixStream> {
    let fd = socket(
        AddressFamily::Unix,
        SockType::Stream,
        SockFlag::SOCK_CLOEXEC,
        None,
    )?;
    // connect(2) waits no longer than sends do (unix(7), `SO_SNDTIMEO`).
    let wait = i64::try_from(left(deadline).as_millis()).unwrap_or(i64::MAX);
    setsockopt(&fd, sockopt::SendTimeout, &TimeVal::milliseconds(wait))?;
    connect(fd.as_raw_fd(), &UnixAddr::new(path)?)?;
    Ok(UnixStream::from(fd))
}

/// Whether more may come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stream {
    Open,
    Ended,
}

/// The body, once it is whole; `None` when more has to come.
fn body_of(answer: &[u8], stream: Stream) -> Result<Option<Vec<u8>>, HttpError> {
    let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else {
        return match answer.len() > MAX_HEAD_BYTES {
            true => Err(HttpError::Malformed),
            false => Ok(None),
        };
    };
    let (head, body) = answer.split_at(end);
    let body = body.get(4..).unwrap_or_default();
    let head = std::str::from_utf8(head).map_err(|_| HttpError::Malformed)?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(status_of);
    match status.ok_or(HttpError::Malformed)? {
        200 => {}
        status => return Err(HttpError::Status(status)),
    }
    let headers: Vec<(String, &str)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim()))
        .collect();
    let header = |name: &str| headers.iter().find(|(n, _)| n == name).map(|(_, v)| *v);
    if header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
        return chunks(body);
    }
    match header("content-length") {
        Some(length) => {
            let length: usize = length.parse().map_err(|_| HttpError::Malformed)?;
            Ok(body.get(..length).map(<[u8]>::to_vec))
        }
        None => Ok((stream == Stream::Ended).then(|| body.to_vec())),
    }
}

/// `HTTP/1.1 200 OK`.
fn status_of(line: &str) -> Option<u16> {
    let mut words = line.split(' ');
    let version = words.next()?;
    version.starts_with("HTTP/1.").then_some(())?;
    words.next()?.parse().ok()
}

/// Chunks put together (RFC 9112 §7.1); `None` before the last one.
fn chunks(mut rest: &[u8]) -> Result<Option<Vec<u8>>, HttpError> {
    let mut body = Vec::new();
    loop {
        let Some(end) = rest.windows(2).position(|two| two == b"\r\n") else {
            return Ok(None);
        };
        let line = std::str::from_utf8(rest.get(..end).unwrap_or_default());
        let line = line.map_err(|_| HttpError::Malformed)?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).map_err(|_| HttpError::Malformed)?;
        if size == 0 {
            return Ok(Some(body));
        }
        if size > MAX_BYTES {
            return Err(HttpError::TooLarge);
        }
        let (begin, after) = (end + 2, end + 2 + size);
        let Some(next) = rest.get(after..).and_then(|next| next.get(2..)) else {
            return Ok(None);
        };
        body.extend_from_slice(rest.get(begin..after).unwrap_or_default());
        rest = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(answer: &str) -> Result<Option<String>, String> {
        body_of(answer.as_bytes(), Stream::Ended)
            .map(|body| body.map(|body| String::from_utf8(body).unwrap()))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_body_comes_by_its_length_in_chunks_or_up_to_the_end() {
        let by_length = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]x";
        let in_chunks = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\n[\r\n1;a=b\r\n]\r\n0\r\n\r\n";
        let to_the_end = "HTTP/1.0 200 OK\r\n\r\n[]";
        for answer in [by_length, in_chunks, to_the_end] {
            assert_eq!(whole(answer), Ok(Some("[]".to_owned())), "{answer}");
        }
    }

    #[test]
    fn a_body_that_is_cut_is_waited_for() {
        for cut in [
            "HTTP/1.1 200 OK\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n[]",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n[]",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[]",
        ] {
            assert_eq!(whole(cut), Ok(None), "{cut}");
        }
    }

    #[test]
    fn what_is_no_answer_is_an_error_and_no_panic() {
        for wrong in [
            "SSH-2.0\r\n\r\n",
            "HTTP/1.1 404 Not Found\r\n\r\n{}",
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        ] {
            assert!(whole(wrong).is_err(), "{wrong}");
        }
    }
}
