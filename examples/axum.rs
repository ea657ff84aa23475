//! An axum service with the layer on its router: routes are known by their
//! `MatchedPath`. The second route blocks the executor, which the log tells.
//!
//! ```text
//! cargo run --example axum -- [APP-ADDRESS] [METRICS-ADDRESS]
//! curl http://127.0.0.1:8080/users/7
//! curl http://127.0.0.1:8080/report
//! curl http://127.0.0.1:9464/findings
//! ```

use std::error::Error;
use std::io::stderr;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use axum::Router;
use axum::extract::Path;
use axum::routing::get;
use tokio::net::TcpListener;
use tower_runtime_health::RuntimeHealth;

async fn user(Path(id): Path<u64>) -> String {
    format!("user {id}\n")
}

/// Holds up its executor: what is wanted here is `tokio::time::sleep`.
async fn report() -> &'static str {
    std::thread::sleep(Duration::from_millis(50));
    "done\n"
}

async fn run() -> Result<(), Box<dyn Error>> {
    let app = address(1, "127.0.0.1:8080")?;
    let metrics = address(2, "127.0.0.1:9464")?;
    let listener = TcpListener::bind(app)
        .await
        .map_err(|error| format!("cannot serve the app on {app}: {error}"))?;

    // The first of the two lines.
    let health = RuntimeHealth::builder().serve_metrics(metrics).start()?;
    let router = Router::new()
        .route("/users/{id}", get(user))
        .route("/report", get(report))
        // The second: after the routes, which it does not see otherwise.
        .layer(health.layer());

    println!("app http://{}", listener.local_addr()?);
    let metrics = health.metrics_addr().unwrap_or(metrics);
    println!("metrics http://{metrics}");
    axum::serve(listener, router)
        .with_graceful_shutdown(async { drop(tokio::signal::ctrl_c().await) })
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
            eprintln!("axum: {error}");
            ExitCode::FAILURE
        }
    }
}
