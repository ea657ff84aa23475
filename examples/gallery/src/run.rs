//! Starts what is asked for, and ends it.

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
use crate::service::{self, Parts};
use crate::video::{CpuQueue, JobQueue, work_off};
use crate::{compare, docs, page, resolver, upstream, video};

pub type Error = Box<dyn std::error::Error + Send + Sync>;

pub fn run(options: Options) -> Result<(), Error> {
    match options.command {
        Command::Help => {
            options::help();
            Ok(())
        }
        Command::Hog => Ok(driver::hog()?),
        Command::Worker => {
            let url = options
                .redis
                .ok_or("worker needs --redis URL or REDIS_URL")?;
            Runtime::new()?.block_on(work_off(&url))
        }
        Command::Serve | Command::Compare | Command::Patterns => gallery(options),
    }
}

fn gallery(options: Options) -> Result<(), Error> {
    log_to_stderr();
    let names = resolver::start(options.work)?;
    let health = RuntimeHealth::builder()
        .without_runtime()
        .serve_metrics(options.metrics)
        .start()?;
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(service::WORKERS).enable_all();
    health
        .configure_runtime(&mut runtime, "main")
        .max_blocking_threads(service::POOL)
        .on_thread_start(move || resolver::ask(names));
    let runtime = runtime.build()?;
    health.observe_runtime(runtime.handle(), "main")?;
    let result = runtime.block_on(serve(options, health));
    // Pool tasks may still run: they are not worth waiting for.
    runtime.shutdown_timeout(Duration::from_millis(500));
    result
}

async fn serve(options: Options, health: RuntimeHealth) -> Result<(), Error> {
    // Listens first: an address in use is the likeliest thing to go wrong.
    let listener = TcpListener::bind(options.app).await.map_err(|error| {
        format!(
            "cannot listen on {}: {error}; give --app another address",
            options.app
        )
    })?;
    let app = listener.local_addr()?;
    let metrics = health.metrics_addr().unwrap_or(options.metrics);
    let worker = start_worker(&options)?;
    let parts = Arc::new(parts(&options).await?);
    let target = Target {
        app,
        health: health.clone(),
        work: options.work,
    };
    let driver = Driver::start(target)?;
    let router = service::router(parts, health.layer()).merge(page::router(driver.clone()));
    let server = tokio::spawn(axum::serve(listener, router).into_future());

    let mut interrupted = std::pin::pin!(tokio::signal::ctrl_c());
    // Its first poll sets up the signal's handler: whoever reads the addresses may send
    // the signal.
    tokio::select! {
        biased;
        _ = &mut interrupted => return Ok(()),
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
                _ = &mut interrupted => Ok(()),
                ended = server => Ok(ended??),
            }
        }
    };
    drop(worker);
    result
}

async fn parts(options: &Options) -> Result<Parts, Error> {
    let jobs = match &options.redis {
        Some(url) => Some(JobQueue::connect(url).await.map_err(|error| {
            format!(
                "cannot reach Redis at {url}: {error}; start it, or leave --redis and REDIS_URL out"
            )
        })?),
        None => None,
    };
    // Measured before there is anything beside it.
    video::rounds_in_a_millisecond();
    let timeout = Duration::from_secs(30);
    Ok(Parts {
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

/// The process that works off the jobs on Redis. It ends with its standard input, so
/// with this process.
fn start_worker(options: &Options) -> Result<Option<Child>, Error> {
    let Some(url) = &options.redis else {
        return Ok(None);
    };
    let mut worker = Process::new(std::env::current_exe()?);
    worker
        .arg("worker")
        // Not an argument: it has a password.
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
