//! An axum service with the layer on, and clients that send it real HTTP. Most of the traffic
//! is healthy; some handlers block the executor in the usual ways. Watch the log and the
//! metrics while it runs. It ends with a table of what each route did.
//!
//! ```text
//! cargo run --release --example demo
//! cargo run --release --example demo -- --help
//! ```

#![allow(
    clippy::disallowed_methods,
    reason = "the bans protect the library's hot path; this is an example"
)]

mod driver;
mod options;
mod scrape;
mod service;
mod table;
mod traffic;

use std::error::Error;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use options::Options;
use tower_runtime_health::RuntimeHealth;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    match options::parse().and_then(|options| options.map_or(Ok(()), |options| run(&options))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo: {}", with_sources(&*error));
            ExitCode::FAILURE
        }
    }
}

/// Returns the error and all its sources on one line. The text of the layer's errors does not
/// contain the source.
fn with_sources(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let next = error.to_string();
        // Some errors repeat their source.
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        source = error.source();
    }
    text
}

fn run(options: &Options) -> Result<()> {
    log_to_stderr();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(service::WORKERS)
        .max_blocking_threads(service::POOL)
        .enable_all()
        .build()?;
    let result = runtime.block_on(serve(options));
    // Tasks of the blocking pool may still be running. Nothing needs their results.
    runtime.shutdown_timeout(Duration::from_millis(500));
    result
}

async fn serve(options: &Options) -> Result<()> {
    let listener = tokio::net::TcpListener::bind(options.app)
        .await
        .map_err(|error| {
            format!(
                "cannot listen on {}: {error}; choose another address with --app",
                options.app
            )
        })?;
    let health = RuntimeHealth::builder()
        // The runtime was built by hand, so the limit of its pool is not known otherwise.
        .max_blocking_threads(service::POOL)
        .serve_metrics(options.metrics)
        .start()?;
    let app = listener.local_addr()?;
    let metrics = health.metrics_addr().unwrap_or(options.metrics);
    let mut ctrl_c = std::pin::pin!(tokio::signal::ctrl_c());
    // The first poll installs the signal handler. A script that reads the addresses may send
    // the signal at once.
    tokio::select! {
        biased;
        _ = &mut ctrl_c => return Ok(()),
        () = std::future::ready(()) => {}
    }
    println!("app http://{app}");
    println!("metrics http://{metrics}");
    std::io::stdout().flush()?;

    let router = service::router().layer(health.layer());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(async move {
        let stopped = async { drop(stopped.await) };
        axum::serve(listener, router)
            .with_graceful_shutdown(stopped)
            .await
    });

    let observer = Arc::new(table::Observer::new(metrics));
    let mut driver = driver::Driver::start(app, options, Arc::clone(&observer))?;
    tokio::select! {
        () = driver.finished() => {}
        _ = &mut ctrl_c => driver.stop(),
    }
    tokio::task::spawn_blocking(move || driver.join()).await??;
    let _ = stop.send(());
    // The runtime closes keep-alive connections that are still open.
    drop(tokio::time::timeout(Duration::from_millis(200), server).await);
    print!(
        "{}",
        observer.table(&health.findings(), &health.pool_findings())
    );
    Ok(())
}

fn log_to_stderr() {
    tracing_subscriber::fmt()
        .with_writer(|| {
            driver::clear_progress();
            std::io::stderr()
        })
        .with_ansi(std::io::stderr().is_terminal())
        .init();
}
