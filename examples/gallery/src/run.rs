//! Runs the command.

use std::io::{IsTerminal, Write};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::process::{Child, Command as Process};
use tokio::runtime::Runtime;
use tower_runtime_health::RuntimeHealth;

use crate::disk::Disk;
use crate::driver::{self, Driver, Target};
use crate::options::{self, Command, Options};
use crate::service::{self, AppState};
use crate::video::{CpuQueue, JobQueue, run_worker};
use crate::{compare, docs, page, resolver, upstream, video};

pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// Returns the error and all its sources on one line. The text of the layer's errors does not
/// contain the source.
pub fn with_sources(error: &dyn std::error::Error) -> String {
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

pub fn run(options: Options) -> Result<(), Error> {
    match options.command {
        Command::Help => {
            options::help();
            Ok(())
        }
        Command::Busy => Ok(driver::keep_busy()?),
        Command::Worker => {
            let url = options
                .redis
                .ok_or("the command worker needs --redis URL or REDIS_URL")?;
            Runtime::new()?.block_on(run_worker(&url))
        }
        Command::Serve | Command::Compare | Command::Patterns => gallery(options),
    }
}

fn gallery(options: Options) -> Result<(), Error> {
    log_to_stderr();
    let name_server = resolver::start(options.work)?;
    let health = RuntimeHealth::builder()
        .without_runtime()
        .serve_metrics(options.metrics)
        .start()?;
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(service::WORKERS).enable_all();
    health
        .configure_runtime(&mut runtime, "main")
        .max_blocking_threads(service::POOL)
        .on_thread_start(move || resolver::use_on_this_thread(name_server));
    let runtime = runtime.build()?;
    health.observe_runtime(runtime.handle(), "main")?;
    let result = runtime.block_on(serve(options, health));
    // Tasks of the blocking pool may still be running. Nothing needs their results.
    runtime.shutdown_timeout(Duration::from_millis(500));
    result
}

async fn serve(options: Options, health: RuntimeHealth) -> Result<(), Error> {
    // Binds before it starts anything else, because an address in use is the likeliest error.
    let listener = TcpListener::bind(options.app).await.map_err(|error| {
        format!(
            "cannot listen on {}: {error}; choose another address with --app",
            options.app
        )
    })?;
    let app = listener.local_addr()?;
    let metrics = health.metrics_addr().unwrap_or(options.metrics);
    let worker = start_worker(&options)?;
    let state = Arc::new(state(&options).await?);
    let target = Target {
        app,
        health: health.clone(),
        work: options.work,
    };
    let driver = Driver::start(target)?;
    let router = service::router(state, health.layer()).merge(page::router(driver.clone()));
    let server = tokio::spawn(axum::serve(listener, router).into_future());

    let mut ctrl_c = std::pin::pin!(tokio::signal::ctrl_c());
    // The first poll installs the signal handler. A script that reads the addresses may send
    // the signal at once.
    tokio::select! {
        biased;
        _ = &mut ctrl_c => return Ok(()),
        () = std::future::ready(()) => {}
    }
    let result = match options.command {
        Command::Compare => compare::run(&driver, metrics, options.work).await,
        Command::Patterns => docs::write(&driver).await,
        _ => {
            println!("app http://{app}");
            println!("metrics http://{metrics}");
            std::io::stdout().flush()?;
            tokio::select! {
                _ = &mut ctrl_c => Ok(()),
                ended = server => Ok(ended??),
            }
        }
    };
    drop(worker);
    result
}

async fn state(options: &Options) -> Result<AppState, Error> {
    let jobs = match &options.redis {
        Some(url) => Some(JobQueue::connect(url).await.map_err(|error| {
            format!(
                "cannot connect to Redis at {url}: {error}; start it, or omit --redis and unset REDIS_URL"
            )
        })?),
        None => None,
    };
    // Measured now, because nothing else is running yet.
    video::rounds_in_a_millisecond();
    let timeout = Duration::from_secs(30);
    Ok(AppState {
        work: options.work,
        upstream: upstream::start(options.work)?,
        http: reqwest::Client::builder().timeout(timeout).build()?,
        agent: ureq::Agent::config_builder()
            .timeout_global(Some(timeout))
            .build()
            .into(),
        disk: Disk::start(options.work)?,
        slow_name: resolver::SLOW_NAME,
        cpu: CpuQueue::start()?,
        postgres: options.postgres.clone(),
        jobs,
        stock: service::Stock::default(),
    })
}

/// Starts the process that runs the jobs from Redis. It ends when its standard input closes,
/// and so with this process.
fn start_worker(options: &Options) -> Result<Option<Child>, Error> {
    let Some(url) = &options.redis else {
        return Ok(None);
    };
    let mut worker = Process::new(std::env::current_exe()?);
    worker
        .arg("worker")
        // Other users can read arguments, and the URL contains a password.
        .env("REDIS_URL", url)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .kill_on_drop(true);
    Ok(Some(worker.spawn()?))
}

fn log_to_stderr() {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
}
