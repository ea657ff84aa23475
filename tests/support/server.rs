//! Servers with a runtime of their own.

use std::error::Error;
use std::fmt::Debug;
use std::net::SocketAddr;

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tower::Service;
use tower::layer::Layer;
use tower_runtime_health::{Builder, RuntimeHealth, RuntimeHealthLayer};

use super::{DEADLINE, LOOPBACK, Metrics, scrape};

/// A server with a runtime of its own. Dropping it shuts the runtime down.
pub(crate) struct Server {
    addr: SocketAddr,
    runtime: Option<Runtime>,
    health: Option<RuntimeHealth>,
}

impl Server {
    /// Runs `serve` on a free port.
    pub(crate) fn bare<F>(serve: impl FnOnce(TcpListener) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (runtime, listener, addr) = listen(&mut two_workers());
        runtime.spawn(serve(listener));
        Self {
            addr,
            runtime: Some(runtime),
            health: None,
        }
    }

    /// Runs `serve` on a free port with a layer of a new instance, which observes the server's
    /// runtime and serves its exporter on a free port.
    pub(crate) fn layered<F>(
        options: Builder,
        serve: impl FnOnce(TcpListener, RuntimeHealthLayer) -> F,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self::layered_on(&mut two_workers(), options, serve)
    }

    /// Like [`layered`](Self::layered), on the runtime that the caller configures.
    pub(crate) fn layered_on<F>(
        runtime: &mut tokio::runtime::Builder,
        options: Builder,
        serve: impl FnOnce(TcpListener, RuntimeHealthLayer) -> F,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (runtime, listener, addr) = listen(runtime);
        let health = options
            .observe_runtime(runtime.handle(), "main")
            .serve_metrics(LOOPBACK)
            .start()
            .unwrap();
        runtime.spawn(serve(listener, health.layer()));
        Self {
            addr,
            runtime: Some(runtime),
            health: Some(health),
        }
    }

    /// Serves a router with [`Router::layer`](axum::Router::layer).
    pub(crate) fn axum(options: Builder, router: axum::Router) -> Self {
        Self::layered(options, |listener, layer| {
            serve_axum(listener, router.layer(layer))
        })
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The `RuntimeHealth` of a layered server.
    pub(crate) fn health(&self) -> &RuntimeHealth {
        self.health.as_ref().expect("a layered server")
    }

    /// Scrapes the metrics page of a layered server.
    pub(crate) fn metrics(&self) -> Metrics {
        scrape(self.health().metrics_addr().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Drops all connections, and waits for the threads.
            runtime.shutdown_timeout(DEADLINE);
        }
    }
}

pub(crate) fn two_workers() -> tokio::runtime::Builder {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2);
    builder
}

fn listen(builder: &mut tokio::runtime::Builder) -> (Runtime, TcpListener, SocketAddr) {
    let runtime = builder.enable_all().build().unwrap();
    let listener = runtime.block_on(TcpListener::bind(LOOPBACK)).unwrap();
    let addr = listener.local_addr().unwrap();
    (runtime, listener, addr)
}

/// The same service twice: bare, and wrapped in the layer.
pub(crate) struct Pair {
    pub(crate) bare: Server,
    pub(crate) layered: Server,
}

impl Pair {
    /// Served by hyper, with the layer around the whole service.
    pub(crate) fn hyper<S, B>(service: S) -> Self
    where
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
        S::Error: Into<Box<dyn Error + Send + Sync>>,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let twin = service.clone();
        Self {
            bare: Server::bare(|listener| serve_hyper(listener, twin)),
            layered: Server::layered(RuntimeHealth::builder(), |listener, layer| {
                serve_hyper(listener, layer.layer(service))
            }),
        }
    }

    /// Served by axum, with the layer on the router.
    pub(crate) fn axum(router: axum::Router) -> Self {
        let twin = router.clone();
        Self {
            bare: Server::bare(|listener| serve_axum(listener, twin)),
            layered: Server::axum(RuntimeHealth::builder(), router),
        }
    }

    /// Runs `client` against the bare server and against the layered one.
    pub(crate) fn each<T>(&self, client: impl Fn(SocketAddr) -> T) -> (T, T) {
        (client(self.bare.addr()), client(self.layered.addr()))
    }

    /// Runs `client` against both servers, asserts that it receives the same, and returns that.
    #[track_caller]
    pub(crate) fn same<T: PartialEq + Debug>(&self, client: impl Fn(SocketAddr) -> T) -> T {
        let (bare, layered) = self.each(client);
        assert_eq!(bare, layered, "bare on the left, layered on the right");
        layered
    }
}

/// Serves HTTP/1 and HTTP/2, with upgrades, until the future is dropped.
pub(crate) async fn serve_hyper<S, B>(listener: TcpListener, service: S)
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let service = TowerToHyperService::new(service.clone());
        drop(tokio::spawn(async move {
            // Some tests provoke errors. The client sees them.
            let _ = auto::Builder::new(TokioExecutor::new())
                .serve_connection_with_upgrades(TokioIo::new(stream), service)
                .await;
        }));
    }
}

pub(crate) async fn serve_axum(listener: TcpListener, router: axum::Router) {
    axum::serve(listener, router).await.unwrap();
}
