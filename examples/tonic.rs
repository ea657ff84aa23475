//! A gRPC server with the layer around all of its services. The routes are the paths of the
//! methods, such as `/grpc.health.v1.Health/Check`.
//!
//! ```text
//! cargo run --example tonic
//! grpc-health-probe -addr 127.0.0.1:50051
//! curl http://127.0.0.1:9464/metrics
//! ```

use std::error::Error;

use tonic::transport::Server;
use tower_runtime_health::RuntimeHealth;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // Findings are `tracing` events: any subscriber shows them.
    tracing_subscriber::fmt().init();

    // Line one: starts the watchdog, and the exporter on a thread of its own.
    let health = RuntimeHealth::builder()
        .serve_metrics(([127, 0, 0, 1], 9464))
        .start()?;
    // gRPC's health service takes the place of your own: it needs no generated code here.
    let (_reporter, service) = tonic_health::server::health_reporter();

    println!("serving http://127.0.0.1:50051 and http://127.0.0.1:9464/metrics");
    Server::builder()
        // Line two: around every service added below.
        .layer(health.layer())
        .add_service(service)
        .serve("127.0.0.1:50051".parse()?)
        .await?;
    Ok(())
}
