//! A real axum service with the layer on, driven with real HTTP: healthy
//! traffic, and beside it handlers that block their executor in the usual ways.
//! Watch the log and the metrics while it runs; it ends with a table.
//!
//! ```text
//! cargo run --release --example demo -- [--app ADDR] [--metrics ADDR] [--for SECONDS] [--traffic KIND] [--no-traffic]
//! ```

#![allow(clippy::disallowed_methods, reason = "that law is for the library")]

mod options;
mod scrape;
mod service;
mod table;
mod traffic;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use options::Options;
use tower_runtime_health::RuntimeHealth;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    match options::parse().and_then(|options| options.map_or(Ok(()), |options| run(&options))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    log_to_stderr();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(service::WORKERS)
        .max_blocking_threads(service::POOL)
        .enable_all()
        .build()?;
    let result = runtime.block_on(serve(options));
    // Pool tasks may still run: they are not worth waiting for.
    runtime.shutdown_timeout(Duration::from_millis(500));
    result
}

async fn serve(options: &Options) -> Result<()> {
    let listener = tokio::net::TcpListener::bind(options.app)
        .await
        .map_err(|error| {
            format!(
                "cannot listen on {}: {error}; give --app another address",
                options.app
            )
        })?;
    let health = RuntimeHealth::builder()
        .max_blocking_threads(service::POOL)
        .serve_metrics(options.metrics)
        .start()?;
    let app = listener.local_addr()?;
    let metrics = health.metrics_addr().unwrap_or(options.metrics);
    let mut interrupted = std::pin::pin!(tokio::signal::ctrl_c());
    // Its first poll sets up the signal's handler: whoever reads the addresses
    // may send the signal.
    tokio::select! {
        biased;
        _ = &mut interrupted => return Ok(()),
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

    // A thread of its own: the traffic and the progress must not suffer from
    // what they show.
    let length = options.length;
    let kind = options.traffic;
    let observer = Arc::new(table::Observer::new(metrics));
    let watched = Arc::clone(&observer);
    let (ended, mut finished) = tokio::sync::oneshot::channel::<()>();
    let running = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let driver = {
        let running = Arc::clone(&running);
        std::thread::Builder::new()
            .name("demo-traffic".into())
            .spawn(move || {
                let started = Instant::now();
                let traffic = traffic::start(app, kind);
                while running.load(std::sync::atomic::Ordering::Relaxed)
                    && length.is_none_or(|length| started.elapsed() < length)
                {
                    watched.look();
                    progress(&watched, started.elapsed(), length);
                    std::thread::sleep(Duration::from_millis(200));
                }
                watched.look();
                end_progress();
                if let Err(error) = traffic {
                    eprintln!("demo: the traffic could not be started: {error}");
                }
                let _ = ended.send(());
            })?
    };
    tokio::select! {
        _ = &mut finished => {}
        _ = &mut interrupted => {
            running.store(false, std::sync::atomic::Ordering::Relaxed);
        }
    }
    tokio::task::spawn_blocking(move || driver.join())
        .await?
        .map_err(|_| "the traffic thread panicked")?;
    let _ = stop.send(());
    // Keep-alive connections may linger; the runtime ends them.
    drop(tokio::time::timeout(Duration::from_millis(200), server).await);
    print!("{}", observer.table(&health.findings()));
    for finding in health.pool_findings() {
        println!("  {finding}");
    }
    Ok(())
}

fn progress(observer: &table::Observer, elapsed: Duration, length: Option<Duration>) {
    let mut stderr = std::io::stderr();
    if stderr.is_terminal() {
        let length = length.map_or(String::new(), |length| format!("/{}", length.as_secs()));
        let line = observer.progress();
        let _ = write!(
            stderr,
            "\r\x1b[2K{:>3}{length} s  {line}",
            elapsed.as_secs()
        );
        let _ = stderr.flush();
    } else if observer.every(25) {
        let _ = writeln!(
            stderr,
            "{:>3} s  {}",
            elapsed.as_secs(),
            observer.progress()
        );
    }
}

fn end_progress() {
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[2K");
    }
}

fn log_to_stderr() {
    tracing_subscriber::fmt()
        .with_writer(|| {
            end_progress();
            std::io::stderr()
        })
        .with_ansi(std::io::stderr().is_terminal())
        .init();
}
