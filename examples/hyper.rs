//! A bare hyper service inside the layer. Without a router, a function names the routes.
//!
//! ```text
//! cargo run --example hyper
//! curl http://127.0.0.1:8080/users/7
//! curl http://127.0.0.1:9464/metrics
//! ```

use std::convert::Infallible;
use std::error::Error;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tower::ServiceBuilder;
use tower_runtime_health::RuntimeHealth;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // Findings are `tracing` events: any subscriber shows them.
    tracing_subscriber::fmt().init();

    // Line one: starts the watchdog, and the exporter on a thread of its own.
    let health = RuntimeHealth::builder()
        .serve_metrics(([127, 0, 0, 1], 9464))
        .start()?;
    // Line two: around the whole service. Return a template, never the path itself: each
    // distinct value becomes a set of time series. `None` becomes the route `<unmatched>`.
    let layer = health.layer().route_by(|head| match head.uri().path() {
        "/" => Some("/".into()),
        path if path.starts_with("/users/") => Some("/users/{id}".into()),
        _ => None,
    });
    let service = ServiceBuilder::new().layer(layer).service_fn(hello);

    let listener = TcpListener::bind("127.0.0.1:8080").await?;
    println!("serving http://127.0.0.1:8080 and http://127.0.0.1:9464/metrics");
    loop {
        let (stream, _) = listener.accept().await?;
        let service = TowerToHyperService::new(service.clone());
        tokio::spawn(async move {
            let builder = auto::Builder::new(TokioExecutor::new());
            let connection = builder.serve_connection(TokioIo::new(stream), service);
            if let Err(error) = connection.await {
                eprintln!("connection: {error}");
            }
        });
    }
}

async fn hello(request: Request<Incoming>) -> Result<Response<String>, Infallible> {
    Ok(Response::new(format!("hello {}\n", request.uri().path())))
}
