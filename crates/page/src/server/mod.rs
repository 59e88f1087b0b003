//! The server: HTTP on one port of 127.0.0.1.
//!
//! One thread serves all connections; what computes runs on others, so that no request waits for a connection
//! that is idle. It ends at once, whatever is still open.
//!
//! | file | holds |
//! | --- | --- |
//! | `gate` | who may ask |
//! | `request`, `reply` | what is asked, and what is answered |
//! | `io` | joins hyper to tokio |

pub mod gate;
mod io;
pub mod reply;
pub mod request;

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::TcpListener;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::body::{Body, Incoming};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Response, StatusCode};
use serde_json::json;
use tokio::time::{sleep, timeout};

use self::gate::Gate;
use self::io::{Clock, Outgoing, Socket};
use self::reply::{Answer, Refusal, Reply};
use self::request::Request;
use crate::assets;
use crate::routes::{Route, find};
use crate::state::State;

/// How long a client may take to send the header of a request.
const HEADER_TIME: Duration = Duration::from_secs(10);
/// How long a client may take to send the body.
const BODY_TIME: Duration = Duration::from_secs(30);
/// The largest header in bytes.
const MAX_HEADER_BYTES: usize = 32 << 10;
/// How often the server looks whether it is to stop.
const STOP_INTERVAL: Duration = Duration::from_millis(20);
/// How often an open stream is told that the server is alive.
const PING_INTERVAL: Duration = Duration::from_secs(15);
/// The most connections at a time: more than browsers open, which is six each, and few enough that a training can
/// still write its files where a process may have only 256 files open, as on macOS.
const MAX_CONNECTIONS: usize = 128;
/// The most requests that compute at the same time.
const MAX_WORKERS: usize = 64;

/// What the page may load: its own files, and pictures that it made itself.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Serves until `stop` answers `true`.
///
/// # Errors
/// If the port cannot be served.
pub fn serve(
    listener: TcpListener,
    gate: Gate,
    state: Arc<State>,
    stop: fn() -> bool,
) -> std::io::Result<()> {
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .max_blocking_threads(MAX_WORKERS)
        .build()?;
    let gate = Arc::new(gate);
    let result = runtime.block_on(accept(listener, &gate, &state, stop));
    state.stop();
    // Streams and idle connections are cut: nobody waits for them.
    runtime.shutdown_background();
    result
}

async fn accept(
    listener: TcpListener,
    gate: &Arc<Gate>,
    state: &Arc<State>,
    stop: fn() -> bool,
) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let open = Arc::new(AtomicUsize::new(0));
    let mut pinged = Instant::now();
    while !stop() {
        if pinged.elapsed() >= PING_INTERVAL {
            state.ping();
            pinged = Instant::now();
        }
        let stream = match timeout(STOP_INTERVAL, listener.accept()).await {
            Err(_) => continue,
            Ok(Ok((stream, _))) => stream,
            // No descriptor is free, or the client is gone already.
            Ok(Err(_)) => {
                sleep(STOP_INTERVAL).await;
                continue;
            }
        };
        if open.fetch_add(1, Relaxed) >= MAX_CONNECTIONS {
            open.fetch_sub(1, Relaxed);
            continue;
        }
        let _ = stream.set_nodelay(true);
        let (gate, state, open) = (Arc::clone(gate), Arc::clone(state), Arc::clone(&open));
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let (gate, state) = (Arc::clone(&gate), Arc::clone(&state));
                async move { Ok::<_, Infallible>(response(answer(&gate, state, request).await)) }
            });
            // A client that breaks the rules of HTTP, or goes away, ends its own connection.
            let _ = http1::Builder::new()
                .timer(Clock)
                .header_read_timeout(Some(HEADER_TIME))
                .max_buf_size(MAX_HEADER_BYTES)
                .serve_connection(Socket(stream), service)
                .await;
            open.fetch_sub(1, Relaxed);
        });
    }
    Ok(())
}

/// Answers one request.
async fn answer(gate: &Gate, state: Arc<State>, request: hyper::Request<Incoming>) -> Answer {
    let path = request.uri().path().to_string();
    let secret = path.starts_with("/api/");
    gate.check(request.headers(), secret)?;
    if !secret {
        return match request.method().as_str() {
            "GET" => assets::find(&path),
            _ => Err(Refusal::method("GET", "a file of the page can only be read")),
        };
    }
    let (route, part) = find(request.method().as_str(), &path)?;
    let query = request::query(request.uri().query().unwrap_or_default());
    let body = read(request, route).await?;
    let request = Request { part, query, body };
    let handle = route.handle;
    let done = tokio::task::spawn_blocking(move || handle(&state, &request)).await;
    done.unwrap_or_else(|_| Err(Refusal::new(500, "the request ended before its answer")))
}

/// Reads the body, up to the most that the route takes.
async fn read(request: hyper::Request<Incoming>, route: &Route) -> Result<Vec<u8>, Refusal> {
    let too_large = || Refusal::new(413, format!("a request here has at most {} bytes", route.most));
    let mut body = request.into_body();
    if body.size_hint().lower() > route.most as u64 {
        return Err(too_large());
    }
    let mut all = Vec::new();
    let read = async {
        while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
            let frame = frame.map_err(|e| Refusal::bad(format!("the request is incomplete: {e}")))?;
            let Ok(data) = frame.into_data() else { continue };
            if all.len() + data.len() > route.most {
                return Err(too_large());
            }
            all.extend_from_slice(&data);
        }
        Ok(())
    };
    match timeout(BODY_TIME, read).await {
        Err(_) => Err(Refusal::new(408, "the request took too long to arrive")),
        Ok(read) => read.map(|()| all),
    }
}

/// The answer as HTTP, with the headers that every answer has.
fn response(answer: Answer) -> Response<Outgoing> {
    let whole = |bytes: Vec<u8>| Outgoing::Whole(Some(Bytes::from(bytes)));
    let (status, kind, headers, body) = match answer {
        Ok(Reply::Json(value)) => {
            (200, "application/json", Vec::new(), whole(value.to_string().into_bytes()))
        }
        Ok(Reply::Elements { bytes, headers }) => (200, "application/octet-stream", headers, whole(bytes)),
        Ok(Reply::File { kind, content }) => (200, kind, Vec::new(), Outgoing::Whole(Some(content))),
        Ok(Reply::Events(parts)) => (200, "text/event-stream", Vec::new(), Outgoing::Parts(parts)),
        Err(Refusal { status, why, allow }) => {
            let headers = allow.map(|method| ("allow", method.to_string())).into_iter().collect();
            (status, "application/json", headers, whole(json!({"error": why}).to_string().into_bytes()))
        }
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let all = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        all.insert(name, HeaderValue::from_static(value));
    }
    for (name, value) in headers {
        // Numbers and names of methods are plain text.
        if let Ok(value) = HeaderValue::from_str(&value) {
            all.insert(HeaderName::from_static(name), value);
        }
    }
    response
}
