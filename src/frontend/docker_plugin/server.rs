//! HTTP at the plugin's socket: connections, bodies within bounds, and a thread
//! for each call, because one may wait for a lease while another ends.
//!
//! The calls enter namespaces, which only threads of their own may
//! ([`crate::sys::netns`]); the loop that reads and writes never does.

use std::convert::Infallible;
use std::io;
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, oneshot};

use super::driver::Driver;
use crate::docker::calls::{Reply, answer};

/// The largest body, in bytes: what dockerd says of one container has some hundreds.
const MOST_BYTES: usize = 1 << 20;
/// How long a body may take.
const BODY_TIME: Duration = Duration::from_secs(10);
/// Calls at once; others wait.
const MOST_CALLS: usize = 64;
/// Where descriptors are short, others may free some.
const PAUSE: Duration = Duration::from_millis(100);
/// The form of all answers (moby, pkg/plugins/transport).
const FORM: &str = "application/vnd.docker.plugins.v1.2+json";

/// A socket that dockerd may connect to, and all that serving there needs.
pub(super) struct Server {
    runtime: Runtime,
    listener: tokio::net::UnixListener,
}

impl Server {
    /// Fails where the socket or the runtime cannot be had; serving does not.
    pub fn open(listener: UnixListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()?;
        let listener = {
            let _entered = runtime.enter();
            tokio::net::UnixListener::from_std(listener)?
        };
        Ok(Self { runtime, listener })
    }

    /// Serves who comes, until the process ends.
    pub fn serve(self, driver: &Arc<Driver>) -> ! {
        let Self { runtime, listener } = self;
        runtime.block_on(async {
            let permits = Arc::new(Semaphore::new(MOST_CALLS));
            loop {
                let stream = match listener.accept().await {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        tracing::warn!(%error, "a connection of dockerd could not be accepted");
                        tokio::time::sleep(PAUSE).await;
                        continue;
                    }
                };
                let (driver, permits) = (Arc::clone(driver), Arc::clone(&permits));
                let peer = stream.peer_cred().ok().and_then(|peer| peer.pid());
                let service = service_fn(move |request| {
                    respond(Arc::clone(&driver), peer, Arc::clone(&permits), request)
                });
                // A connection that breaks is dockerd's to make anew.
                let served = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                tokio::spawn(served);
            }
        })
    }
}

async fn respond(
    driver: Arc<Driver>,
    peer: Option<i32>,
    permits: Arc<Semaphore>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let path = head.uri.path().to_owned();
    let whole = Limited::new(body, MOST_BYTES).collect();
    let reply = match tokio::time::timeout(BODY_TIME, whole).await {
        Ok(Ok(body)) => {
            let work = move || answer(driver.as_ref(), &path, &body.to_bytes(), peer);
            call(permits, work).await
        }
        Ok(Err(error)) => refused(&error.to_string()),
        Err(_) => refused("the request did not come to its end"),
    };
    let status = StatusCode::from_u16(reply.status);
    let mut response = Response::new(Full::from(reply.body));
    *response.status_mut() = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let form = HeaderValue::from_static(FORM);
    response.headers_mut().insert(CONTENT_TYPE, form);
    Ok(response)
}

async fn call(permits: Arc<Semaphore>, work: impl FnOnce() -> Reply + Send + 'static) -> Reply {
    let (tell, told) = oneshot::channel();
    // Never closed.
    let permit = permits.acquire_owned().await;
    let whole = move || {
        // dockerd may have gone away.
        let _ = tell.send(work());
        drop(permit);
    };
    let thread = thread::Builder::new().name("call".to_owned());
    match thread.spawn(whole) {
        Ok(_) => told
            .await
            .unwrap_or_else(|_| refused("the call did not come to its end")),
        Err(error) => refused(&format!("starting a thread: {error}")),
    }
}

fn refused(text: &str) -> Reply {
    let body = serde_json::json!({ "Err": format!("pipework: {text}") });
    Reply {
        status: 500,
        body: body.to_string(),
    }
}
