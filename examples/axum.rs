//! An axum service with the layer on its router. The layer takes the routes from axum's
//! `MatchedPath`. One of the two handlers blocks the executor, and the log names it.
//!
//! ```text
//! cargo run --example axum
//! curl http://127.0.0.1:8080/report      # logs a finding with the line to change
//! curl http://127.0.0.1:9464/findings    # the finding as JSON
//! curl http://127.0.0.1:9464/metrics
//! ```

use std::error::Error;
use std::time::Duration;

use axum::Router;
use axum::extract::Path;
use axum::routing::get;
use tokio::net::TcpListener;
use tower_runtime_health::RuntimeHealth;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // Findings are `tracing` events: any subscriber shows them.
    tracing_subscriber::fmt().init();

    // Line one: starts the watchdog, and the exporter on a thread of its own.
    let health = RuntimeHealth::builder()
        .serve_metrics(([127, 0, 0, 1], 9464))
        .start()?;
    let app = Router::new()
        .route("/users/{id}", get(user))
        .route("/report", get(report))
        // Line two: after the routes, because a layer applies only to routes added before it.
        .layer(health.layer());

    let listener = TcpListener::bind("127.0.0.1:8080").await?;
    println!("serving http://127.0.0.1:8080 and http://127.0.0.1:9464/metrics");
    axum::serve(listener, app).await?;
    Ok(())
}

async fn user(Path(id): Path<u64>) -> String {
    format!("user {id}\n")
}

/// Blocks its worker thread; `tokio::time::sleep` would not.
async fn report() -> &'static str {
    std::thread::sleep(Duration::from_millis(50));
    "done\n"
}
