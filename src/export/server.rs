use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};

use super::respond::respond;
use crate::error::{Error, Kind};
use crate::state::State;

const NAME: &str = "health-exporter";

/// How many connections are served at once. Further ones are closed and counted.
const MAX_CONNECTIONS: usize = 32;
/// How long a client may take to send its headers.
const HEADER_TIME: Duration = Duration::from_secs(5);
/// How long a connection may last. Each carries one request, so a scraper that reads slowly or
/// never cannot occupy one of the connections.
const CONNECTION_TIME: Duration = Duration::from_secs(30);
/// The largest request head, in bytes.
const MAX_HEAD: usize = 16 * 1024;
/// How long to wait after a failed accept. The process may be out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The exporter's socket, bound but not served yet.
#[derive(Debug)]
pub(crate) struct Listener {
    listener: std::net::TcpListener,
    addr: SocketAddr,
}

impl Listener {
    pub(crate) fn bind(address: SocketAddr) -> Result<Self, Error> {
        let bound = std::net::TcpListener::bind(address).and_then(|listener| {
            listener.set_nonblocking(true)?;
            let addr = listener.local_addr()?;
            Ok(Self { listener, addr })
        });
        bound.map_err(|source| Kind::Bind { address, source }.into())
    }

    /// Serves from a thread and a runtime of its own, so that it answers while every worker of
    /// the service is stuck.
    pub(crate) fn serve(self, state: Arc<State>) -> Result<Server, Error> {
        let Self { listener, addr } = self;
        let (stop, stopped) = oneshot::channel();
        let (ready, started) = mpsc::sync_channel(1);
        std::thread::Builder::new()
            .name(NAME.into())
            .spawn(move || run(listener, state, &ready, stopped))
            .map_err(|source| Kind::Thread { name: NAME, source })?;
        match started.recv() {
            Ok(Ok(())) => Ok(Server {
                addr,
                stop: Some(stop),
            }),
            Ok(Err(source)) => Err(Kind::Exporter(source).into()),
            Err(_) => Err(Kind::Exporter(io::Error::other("its thread ended")).into()),
        }
    }
}

/// Owns the exporter's thread, which ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    addr: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
}

impl Server {
    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // Fails only if the thread has ended.
            let _ = stop.send(());
        }
    }
}

fn run(
    listener: std::net::TcpListener,
    state: Arc<State>,
    ready: &mpsc::SyncSender<io::Result<()>>,
    stopped: oneshot::Receiver<()>,
) {
    let listening = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .and_then(|runtime| {
            let inside = runtime.enter();
            let listener = TcpListener::from_std(listener)?;
            drop(inside);
            Ok((runtime, listener))
        });
    // `serve` waits for the answer, so sending it cannot fail.
    match listening {
        Err(error) => drop(ready.send(Err(error))),
        Ok((runtime, listener)) => {
            drop(ready.send(Ok(())));
            drop(runtime.spawn(accept(listener, state)));
            // Dropping the runtime then closes the listener and all connections.
            let _ = runtime.block_on(stopped);
        }
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let refused = || state.metrics.count_refused_connection();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => match Arc::clone(&connections).try_acquire_owned() {
                Ok(permit) => {
                    let state = Arc::clone(&state);
                    drop(tokio::spawn(async move {
                        serve(stream, state).await;
                        drop(permit);
                    }));
                }
                Err(_) => refused(),
            },
            Err(_) => {
                refused();
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, state: Arc<State>) {
    let service = service_fn(move |request| {
        let response = respond(&state, &request);
        async move { Ok::<_, Infallible>(response) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .max_buf_size(MAX_HEAD)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    // An error or a timeout is the client's, and is not reported anywhere.
    let _ = tokio::time::timeout(CONNECTION_TIME, connection).await;
}
