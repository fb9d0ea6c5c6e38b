//! An open connection: whoever calls is answered, and whoever is called answers.
//!
//! One thread reads. Each call that comes in has a thread of its own, because a
//! pod may wait for a lease while another ends; there are bounds to their number.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use prost::{DecodeError, Message as _};

use super::message::{Code, Request, Response, Status};
use super::mux::{Demultiplexer, TooLong};
use super::ttrpc::{Assembler, Direction, Message, TtrpcError};

/// More calls at once than any runtime makes: it waits for one before the next.
const MOST_CALLS: usize = 128;

/// Whoever does not read for this long has ended the connection.
const WRITE_TIME: Duration = Duration::from_secs(5);

/// Why a connection ended, or a call on it failed.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The stream.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It is none of frames.
    #[error("not the protocol of NRI: {0}")]
    Frame(#[from] TooLong),
    /// It is none of ttrpc.
    #[error("not the protocol of NRI: {0}")]
    Ttrpc(#[from] TtrpcError),
    /// A message makes no sense.
    #[error("not a message of NRI: {0}")]
    Decode(#[from] DecodeError),
    /// No answer came.
    #[error("{method} was not answered within {} ms", .patience.as_millis())]
    Silent {
        /// What was called.
        method: &'static str,
        /// How long.
        patience: Duration,
    },
    /// The connection ended while an answer was waited for.
    #[error("the connection ended")]
    Ended,
    /// The other side said no.
    #[error("{} (code {})", .0.message, .0.code)]
    Refused(Status),
}

/// Who answers calls.
pub trait Serve: Send + Sync + 'static {
    /// The answer to a call. It may take its time.
    fn serve(&self, request: &Request) -> Result<Vec<u8>, Status>;
}

/// A connection in both directions.
pub struct Link {
    stream: UnixStream,
    /// Number of the multiplexer's connection on which we are called.
    inward: u32,
    /// That on which we call.
    outward: u32,
    writing: Mutex<()>,
    calls: Mutex<Calls>,
    served: AtomicUsize,
}

#[derive(Default)]
struct Calls {
    next: u32,
    waiting: BTreeMap<u32, SyncSender<Response>>,
    ended: bool,
}

/// What is behind a mutex is whole after each statement.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Link {
    /// A connection over `stream`, on which nothing is read yet.
    pub fn new(stream: UnixStream, inward: u32, outward: u32) -> Arc<Self> {
        // Zero is the only time that is refused.
        let _ = stream.set_write_timeout(Some(WRITE_TIME));
        Arc::new(Self {
            stream,
            inward,
            outward,
            writing: Mutex::new(()),
            calls: Mutex::new(Calls::default()),
            served: AtomicUsize::new(0),
        })
    }

    /// Ends the connection.
    pub fn close(&self) {
        // It may be closed already.
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    /// Reads until the connection ends, and has `server` answer. The end that
    /// the other side brought on is none that is an error.
    pub fn run(self: &Arc<Self>, server: &Arc<impl Serve>) -> Result<(), LinkError> {
        let outcome = self.read(server);
        self.close();
        let mut calls = lock(&self.calls);
        calls.ended = true;
        // Whoever waits hears that nobody will answer.
        calls.waiting.clear();
        outcome
    }

    fn read(self: &Arc<Self>, server: &Arc<impl Serve>) -> Result<(), LinkError> {
        let mut frames = Demultiplexer::default();
        let (mut inward, mut outward) = (Assembler::default(), Assembler::default());
        let mut buffer = vec![0; 64 << 10];
        loop {
            let length = match (&self.stream).read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            let mut messages = Ok(Vec::new());
            frames.feed(
                buffer.get(..length).unwrap_or_default(),
                |connection, bytes| {
                    let assembler = match connection {
                        number if number == self.inward => &mut inward,
                        number if number == self.outward => &mut outward,
                        // Others may come to be.
                        _ => return,
                    };
                    if let Ok(so_far) = &mut messages {
                        match assembler.feed(bytes) {
                            Ok(more) => so_far.extend(more),
                            Err(error) => messages = Err(error),
                        }
                    }
                },
            )?;
            for message in messages? {
                self.take(message, server)?;
            }
        }
    }

    fn take(self: &Arc<Self>, message: Message, server: &Arc<impl Serve>) -> Result<(), LinkError> {
        match message.direction {
            Direction::Request => {
                let request = Request::decode(message.payload.as_slice())?;
                self.begin(message.stream, request, server)
            }
            Direction::Response => {
                let response = Response::decode(message.payload.as_slice())?;
                if let Some(waiting) = lock(&self.calls).waiting.remove(&message.stream) {
                    // Who gave up waiting has gone.
                    let _ = waiting.try_send(response);
                }
                Ok(())
            }
        }
    }

    fn begin(
        self: &Arc<Self>,
        stream: u32,
        request: Request,
        server: &Arc<impl Serve>,
    ) -> Result<(), LinkError> {
        let (link, server) = (Arc::clone(self), Arc::clone(server));
        if self.served.fetch_add(1, Ordering::AcqRel) >= MOST_CALLS {
            self.served.fetch_sub(1, Ordering::AcqRel);
            let busy = Status::new(Code::Unavailable, "too many calls at once");
            return self.answer(stream, Err(busy));
        }
        // A name ends at its first zero, and no thread has one.
        let name = request.method.chars().take_while(|c| *c != '\0');
        let name = name.take(15).collect();
        let thread = thread::Builder::new().name(name).spawn(move || {
            let answer = server.serve(&request);
            link.served.fetch_sub(1, Ordering::AcqRel);
            if let Err(error) = link.answer(stream, answer) {
                tracing::warn!(method = request.method, %error, "an answer was lost");
            }
        });
        match thread {
            Ok(_) => Ok(()),
            Err(error) => {
                self.served.fetch_sub(1, Ordering::AcqRel);
                let busy = Status::new(Code::Unavailable, format!("no thread: {error}"));
                self.answer(stream, Err(busy))
            }
        }
    }

    fn answer(&self, stream: u32, answer: Result<Vec<u8>, Status>) -> Result<(), LinkError> {
        let response = match answer {
            Ok(payload) => Response {
                status: None,
                payload,
            },
            Err(status) => Response {
                status: Some(status),
                payload: Vec::new(),
            },
        };
        let message = Message {
            stream,
            direction: Direction::Response,
            payload: response.encode_to_vec(),
        };
        self.write(&message.frames(self.inward)?)
    }

    /// Calls the other side, and waits for its answer. `run` must be at work.
    pub fn call(
        &self,
        service: &str,
        method: &'static str,
        payload: Vec<u8>,
        patience: Duration,
    ) -> Result<Vec<u8>, LinkError> {
        let (sender, receiver) = sync_channel(1);
        let stream = {
            let mut calls = lock(&self.calls);
            if calls.ended {
                return Err(LinkError::Ended);
            }
            // Clients count by odd numbers, from 1.
            let stream = calls.next * 2 + 1;
            calls.next += 1;
            calls.waiting.insert(stream, sender);
            stream
        };
        let request = Request {
            service: service.to_owned(),
            method: method.to_owned(),
            payload,
            timeout_nano: i64::try_from(patience.as_nanos()).unwrap_or(i64::MAX),
        };
        let message = Message {
            stream,
            direction: Direction::Request,
            payload: request.encode_to_vec(),
        };
        self.write(&message.frames(self.outward)?)?;
        match receiver.recv_timeout(patience) {
            Ok(Response { status, payload }) => match status.filter(|status| status.code != 0) {
                Some(status) => Err(LinkError::Refused(status)),
                None => Ok(payload),
            },
            Err(RecvTimeoutError::Disconnected) => Err(LinkError::Ended),
            Err(RecvTimeoutError::Timeout) => {
                lock(&self.calls).waiting.remove(&stream);
                Err(LinkError::Silent { method, patience })
            }
        }
    }

    fn write(&self, bytes: &[u8]) -> Result<(), LinkError> {
        let _alone = lock(&self.writing);
        // Half a message may be out, and what came next would be taken for its rest.
        let written = (&self.stream)
            .write_all(bytes)
            .inspect_err(|_| self.close());
        Ok(written?)
    }
}
