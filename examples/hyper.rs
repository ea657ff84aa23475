//! A bare hyper service with the layer around it; a function names the routes.
//!
//! ```text
//! cargo run --example hyper -- [APP-ADDRESS] [METRICS-ADDRESS]
//! curl http://127.0.0.1:8080/users/7
//! curl http://127.0.0.1:9464/metrics
//! ```

use std::convert::Infallible;
use std::error::Error;
use std::io::stderr;
use std::net::SocketAddr;
use std::process::ExitCode;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tower::ServiceBuilder;
use tower_runtime_health::RuntimeHealth;

async fn hello(request: Request<Incoming>) -> Result<Response<String>, Infallible> {
    Ok(Response::new(format!("hello {}\n", request.uri().path())))
}

async fn run() -> Result<(), Box<dyn Error>> {
    let app = address(1, "127.0.0.1:8080")?;
    let metrics = address(2, "127.0.0.1:9464")?;
    let listener = TcpListener::bind(app)
        .await
        .map_err(|error| format!("cannot serve the app on {app}: {error}"))?;

    let health = RuntimeHealth::builder().serve_metrics(metrics).start()?;
    // Templates, never the path that was sent: each is a set of time series.
    let layer = health.layer().route_by(|head| match head.uri().path() {
        "/" => Some("/".into()),
        path if path.starts_with("/users/") => Some("/users/{id}".into()),
        _ => None,
    });
    let service = ServiceBuilder::new().layer(layer).service_fn(hello);

    println!("app http://{}", listener.local_addr()?);
    let metrics = health.metrics_addr().unwrap_or(metrics);
    println!("metrics http://{metrics}");
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => accepted?.0,
            _ = tokio::signal::ctrl_c() => return Ok(()),
        };
        let service = TowerToHyperService::new(service.clone());
        tokio::spawn(async move {
            let builder = auto::Builder::new(TokioExecutor::new());
            let connection = builder.serve_connection(TokioIo::new(stream), service);
            // Where it fails, its client knows.
            drop(connection.await);
        });
    }
}

/// The address given as this argument, or the one that is usual.
fn address(position: usize, usual: &str) -> Result<SocketAddr, String> {
    let given = std::env::args().nth(position);
    let given = given.unwrap_or_else(|| usual.into());
    let wrong = |_| format!("`{given}` is not an address such as {usual}");
    given.parse().map_err(wrong)
}

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt().with_writer(stderr).init();
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hyper: {error}");
            ExitCode::FAILURE
        }
    }
}
