//! Answers `GET /metrics` and `GET /healthz` (RFC 9112), on a TCP port or a Unix
//! socket, and nothing else.
//!
//! Nobody proves who they are here, and nobody learns more than counts. Each
//! connection has one request, bounded in length and time, and there are only so
//! many at once.

use std::fmt::Display;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;
use std::{fs, str};

use super::NriError;
use super::metrics::Metrics;
use crate::deadline::Deadline;

/// Connections at once; a further one is closed.
const MOST: usize = 8;
/// The longest head of a request, in bytes.
const LONGEST: usize = 4096;
/// A request's headers, of which none is read.
const MOST_HEADERS: usize = 64;
/// From the connection to the end of the answer.
const TIME: Duration = Duration::from_secs(2);
/// How soon an address is tried again that somebody else has.
const RETRY: Duration = Duration::from_secs(10);
/// Where descriptors are short, others need some time to close theirs.
const PAUSE: Duration = Duration::from_millis(100);

/// A connection whose every read and write is bounded.
trait Stream: Read + Write + Send + 'static {
    fn set_patience(&self, time: Duration) -> io::Result<()>;
}

impl Stream for TcpStream {
    fn set_patience(&self, time: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(time))?;
        self.set_write_timeout(Some(time))
    }
}

impl Stream for UnixStream {
    fn set_patience(&self, time: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(time))?;
        self.set_write_timeout(Some(time))
    }
}

/// What is answered.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    status: &'static str,
    body: String,
    has_body: bool,
}

/// Serves `metrics` for ever at `address`: a path, or an IP address and a port.
///
/// One that somebody else has is tried again for ever: pods have their interfaces
/// whether anybody counts them or not. Fails if it is no address.
pub fn start(address: &str, metrics: &Arc<Metrics>) -> Result<(), NriError> {
    let metrics = Arc::clone(metrics);
    let thread = thread::Builder::new().name("metrics".to_owned());
    let started = if address.starts_with('/') {
        let path = PathBuf::from(address);
        thread.spawn(move || {
            let listener = patiently(&path.display(), || listen(&path));
            serve(move || listener.accept().map(|(stream, _)| stream), metrics);
        })
    } else {
        let given: SocketAddr = address.parse().map_err(|error| NriError::Metrics {
            address: address.to_owned(),
            source: io::Error::new(io::ErrorKind::InvalidInput, error),
        })?;
        thread.spawn(move || {
            #[expect(clippy::disallowed_methods, reason = "it is an address, not a name")]
            let listener = patiently(&given, || TcpListener::bind(given));
            serve(move || listener.accept().map(|(stream, _)| stream), metrics);
        })
    };
    started.map(drop).map_err(NriError::Thread)
}

fn patiently<T>(address: &dyn Display, listen: impl Fn() -> io::Result<T>) -> T {
    let mut was_told = false;
    loop {
        match listen() {
            Ok(listener) => return listener,
            Err(error) if !was_told => {
                tracing::error!(%address, %error, "nobody can ask for the metrics yet");
                was_told = true;
            }
            Err(_) => {}
        }
        thread::sleep(RETRY);
    }
}

/// A socket at `path`, in the place of one where nobody listens any more.
fn listen(path: &Path) -> io::Result<UnixListener> {
    let listener = match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let is_left = UnixStream::connect(path)
                .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
            let is_socket = fs::symlink_metadata(path)?.file_type().is_socket();
            if !is_left || !is_socket {
                return Err(error);
            }
            fs::remove_file(path)?;
            UnixListener::bind(path)?
        }
        other => other?,
    };
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

fn serve<S: Stream>(accept: impl Fn() -> io::Result<S>, metrics: Arc<Metrics>) {
    let open = Arc::new(AtomicUsize::new(0));
    loop {
        let Ok(stream) = accept() else {
            thread::sleep(PAUSE);
            continue;
        };
        if open.fetch_add(1, Ordering::AcqRel) >= MOST {
            open.fetch_sub(1, Ordering::AcqRel);
            continue;
        }
        let (of_thread, metrics) = (Arc::clone(&open), Arc::clone(&metrics));
        let thread = thread::Builder::new().name("metrics".to_owned());
        let thread = thread.spawn(move || {
            // Whoever breaks it off wants no answer.
            let _ = converse(stream, &metrics);
            of_thread.fetch_sub(1, Ordering::AcqRel);
        });
        if thread.is_err() {
            open.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

fn converse(mut stream: impl Stream, metrics: &Metrics) -> io::Result<()> {
    let deadline = Deadline::after(TIME);
    let mut head = [0; LONGEST];
    let mut length = 0;
    let answer = loop {
        if deadline.has_passed() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_patience(deadline.remaining().max(Duration::from_millis(1)))?;
        match stream.read(head.get_mut(length..).unwrap_or_default())? {
            0 => return Ok(()),
            more => length += more,
        }
        match answer(head.get(..length).unwrap_or_default(), metrics) {
            Some(answer) => break answer,
            None if length == LONGEST => break Answer::of("431 Request Header Fields Too Large"),
            None => {}
        }
    };
    stream.set_patience(deadline.remaining().max(Duration::from_millis(1)))?;
    stream.write_all(answer.bytes().as_slice())
}

impl Answer {
    fn of(status: &'static str) -> Self {
        Self {
            status,
            body: format!("{status}\n"),
            has_body: true,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let Self {
            status,
            body,
            has_body,
        } = self;
        let shown = if *has_body { body.as_str() } else { "" };
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{shown}",
            body.len()
        )
        .into_bytes()
    }
}

/// The answer to a request, once its head is whole.
fn answer(head: &[u8], metrics: &Metrics) -> Option<Answer> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(head) {
        Ok(status) if status.is_partial() => return None,
        Ok(_) => {}
        Err(_) => return Some(Answer::of("400 Bad Request")),
    }
    let has_body = match request.method {
        Some("GET") => true,
        Some("HEAD") => false,
        _ => return Some(Answer::of("405 Method Not Allowed")),
    };
    let target = request.path.unwrap_or_default();
    let answer = match target.split('?').next() {
        Some("/metrics") => Answer {
            body: metrics.text(),
            ..Answer::of("200 OK")
        },
        Some("/healthz") => match metrics.is_alone_for() {
            None => Answer {
                body: "ok\n".to_owned(),
                ..Answer::of("200 OK")
            },
            Some(time) => Answer {
                body: format!("no runtime has been connected for {} s\n", time.as_secs()),
                ..Answer::of("503 Service Unavailable")
            },
        },
        _ => Answer::of("404 Not Found"),
    };
    Some(Answer { has_body, ..answer })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(request: &str) -> Option<Answer> {
        answer(request.as_bytes(), &Metrics::default())
    }

    #[test]
    fn only_two_things_can_be_asked_for() {
        for (request, status) in [
            ("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", "200 OK"),
            ("GET /metrics?x=1 HTTP/1.0\r\n\r\n", "200 OK"),
            ("HEAD /healthz HTTP/1.1\r\n\r\n", "200 OK"),
            ("GET / HTTP/1.1\r\n\r\n", "404 Not Found"),
            ("GET /metrics/../x HTTP/1.1\r\n\r\n", "404 Not Found"),
            ("POST /metrics HTTP/1.1\r\n\r\n", "405 Method Not Allowed"),
            ("nonsense\r\n\r\n", "400 Bad Request"),
        ] {
            assert_eq!(said(request).unwrap().status, status, "{request}");
        }
        assert_eq!(said("GET /metrics HTTP/1.1\r\nHost:"), None);
    }

    #[test]
    fn who_has_had_no_runtime_for_long_is_not_well_and_says_for_how_long() {
        let metrics = Metrics::alone_for(Duration::from_secs(40));
        let said = answer(b"GET /healthz HTTP/1.1\r\n\r\n", &metrics).unwrap();
        assert_eq!(said.status, "503 Service Unavailable");
        assert!(said.body.contains("connected for 4"), "{}", said.body);
    }

    #[test]
    fn a_head_has_the_length_of_the_body_and_no_body() {
        let head = said("HEAD /healthz HTTP/1.1\r\n\r\n").unwrap().bytes();
        let head = str::from_utf8(&head).unwrap();
        assert!(
            head.contains("Content-Length: 3\r\n") && head.ends_with("\r\n\r\n"),
            "{head}"
        );
    }

    proptest::proptest! {
        #[test]
        fn no_request_makes_the_answer_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _ = answer(&bytes, &Metrics::default());
        }
    }
}
