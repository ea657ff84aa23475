//! A gRPC service with the layer around all of it: routes are known by their
//! method's path, such as `/grpc.health.v1.Health/Check`.
//!
//! ```text
//! cargo run --example tonic -- [APP-ADDRESS] [METRICS-ADDRESS]
//! grpc-health-probe -addr 127.0.0.1:50051
//! curl http://127.0.0.1:9464/metrics
//! ```

use std::error::Error;
use std::io::stderr;
use std::net::SocketAddr;
use std::process::ExitCode;

use tokio::net::TcpListener;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tower_runtime_health::RuntimeHealth;

async fn run() -> Result<(), Box<dyn Error>> {
    let app = address(1, "127.0.0.1:50051")?;
    let metrics = address(2, "127.0.0.1:9464")?;
    let listener = TcpListener::bind(app)
        .await
        .map_err(|error| format!("cannot serve the app on {app}: {error}"))?;

    let health = RuntimeHealth::builder().serve_metrics(metrics).start()?;
    // Stands for a service of your own: gRPC's health checks.
    let (_reporter, service) = tonic_health::server::health_reporter();

    println!("app http://{}", listener.local_addr()?);
    let metrics = health.metrics_addr().unwrap_or(metrics);
    println!("metrics http://{metrics}");
    Server::builder()
        .layer(health.layer())
        .add_service(service)
        .serve_with_incoming_shutdown(TcpIncoming::from(listener), async {
            drop(tokio::signal::ctrl_c().await);
        })
        .await?;
    Ok(())
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
            eprintln!("tonic: {error}");
            ExitCode::FAILURE
        }
    }
}
