//! How do probes and Prometheus ask a running job?
//!
//! ```text
//! /health   does its loop get on?            200, or 503 with why
//! /ready    does it take messages in?        200, or 503 with why
//! /metrics  Prometheus' text
//! /status   positions, commits, tables       only with the token
//! ```
//!
//! Opt-in: `[http]` of the pipeline file. A thread and a runtime of its own, from before the state
//! opens until after the last commit, so that a long start and a drain can be watched. It reads what
//! the job [tells](Telemetry), and holds the job up in nothing.
//!
//! **Invariants:** without `allow_remote`, only this machine reaches it. What may be personal, names
//! of files in `/status`, wants the token. Requests are bounded in size, number and time; bodies
//! are not read.
//!
//! *Deliberately absent:* anything that changes something.

mod answer;
mod tls;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio_rustls::TlsAcceptor;

use self::answer::Site;
use crate::config::HttpPlan;
use crate::error::{Context, Error, Kind, Result};
use crate::telemetry::{HttpListening, Telemetry};

/// Connections at once; further ones wait.
const CONNECTIONS_MAX: usize = 32;
/// Bytes of a request's head.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// How long a caller may take to send its request's head.
const HEAD_WAIT: Duration = Duration::from_secs(5);
/// How long a connection may last: a handshake, one request, its answer.
const CONNECTION_WAIT: Duration = Duration::from_secs(20);
/// How long to wait where a connection could not be accepted, e.g. for want of files.
const ACCEPT_WAIT: Duration = Duration::from_millis(100);
/// How long answers that are under way may take at the end.
const CLOSE_WAIT: Duration = Duration::from_millis(500);

/// The running endpoint; it ends when this is dropped.
pub struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Begins to answer for the job that tells `telemetry`, and logs where.
    ///
    /// **Errors:** invalid, where the certificate or its key cannot be used; unavailable, where the
    /// address is taken or not of this machine.
    pub fn start(plan: &HttpPlan, telemetry: &Telemetry) -> Result<Self> {
        let acceptor = plan.tls.as_ref().map(tls::acceptor).transpose()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(2)
            .build()
            .context(Kind::Unavailable, "start the HTTP runtime")?;
        let taken = |error: io::Error| {
            Error::unavailable(format!("[http] address = {}: listen", plan.address))
                .caused_by(error)
        };
        let listener = runtime.block_on(TcpListener::bind(plan.address)).map_err(taken)?;
        let address = listener.local_addr().map_err(taken)?;
        let site = Arc::new(Site::new(plan, telemetry));
        let (stop, stopped) = oneshot::channel();
        let tls = acceptor.is_some();
        let thread = std::thread::Builder::new()
            .name("http".into())
            .spawn(move || serve_until(&runtime, listener, acceptor, site, stopped))
            .context(Kind::Unavailable, "start the HTTP thread")?;
        HttpListening { address: &address.to_string(), tls }.emit();
        Ok(Self { address, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Where nobody listens, or it panicked, it has ended.
        self.stop.take().map(|stop| stop.send(()));
        self.thread.take().map(JoinHandle::join);
    }
}

fn serve_until(
    runtime: &Runtime,
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    site: Arc<Site>,
    stopped: oneshot::Receiver<()>,
) {
    let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    runtime.block_on(async {
        tokio::select! {
            () = accept(listener, acceptor, site, &connections) => {}
            _ = stopped => {}
        }
        let all = u32::try_from(CONNECTIONS_MAX).expect("it is small");
        // Those that are not done by then are cut off.
        tokio::time::timeout(CLOSE_WAIT, connections.acquire_many(all)).await.ok();
    });
}

async fn accept(
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    site: Arc<Site>,
    connections: &Arc<Semaphore>,
) {
    // Nobody closes the semaphore.
    while let Ok(permit) = Arc::clone(connections).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(talk(stream, acceptor.clone(), Arc::clone(&site), permit));
            }
            Err(_) => tokio::time::sleep(ACCEPT_WAIT).await,
        }
    }
}

/// Serves one connection; what goes wrong with it is the caller's affair.
async fn talk(
    stream: TcpStream,
    acceptor: Option<TlsAcceptor>,
    site: Arc<Site>,
    _permit: OwnedSemaphorePermit,
) {
    let talk = async {
        match acceptor {
            None => serve(stream, site).await,
            Some(acceptor) => {
                if let Ok(stream) = acceptor.accept(stream).await {
                    serve(stream, site).await;
                }
            }
        }
    };
    tokio::time::timeout(CONNECTION_WAIT, talk).await.ok();
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, site: Arc<Site>) {
    let service = service_fn(move |request| respond(request, Arc::clone(&site)));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WAIT)
        .max_buf_size(HEAD_BYTES_MAX)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    served.await.ok();
}

/// The disk may be slow to say how full it is: metrics are gathered off this thread, so that the
/// probes are answered meanwhile.
async fn respond(
    request: Request<Incoming>,
    site: Arc<Site>,
) -> std::result::Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    drop(body);
    let answered = tokio::task::spawn_blocking(move || site.answer(&head)).await;
    Ok(answered.unwrap_or_else(|_| answer::failed()))
}

#[cfg(test)]
mod tests;
