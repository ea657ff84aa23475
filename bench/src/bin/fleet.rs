//! Synthetic instances for a Prometheus to scrape. Each has its own `RuntimeHealth` with
//! its own exporter and the given number of routes. Each route is called about once a
//! second.
//!
//! ```text
//! fleet INSTANCES ROUTES full|lean
//! ```
//!
//! Prints one address a line, then works until it is killed. See `fleet.sh`.

use std::borrow::Cow;
use std::convert::Infallible;
use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tower::{Layer, Service, service_fn};
use tower_runtime_health::{Detail, RequestHead, RuntimeHealth};

/// One route in this number spawns work on the blocking pool.
const POOLED: usize = 5;
/// This number of routes of an instance block their worker, once a second.
const BLOCKING: usize = 3;

type Answer = Response<Full<Bytes>>;

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let mut next = || args.next().ok_or("usage: fleet INSTANCES ROUTES full|lean");
    let instances: usize = next()?.parse()?;
    let routes: usize = next()?.parse()?;
    let detail = match next()?.as_str() {
        "lean" => Detail::Lean,
        _ => Detail::Full,
    };
    let mut running = Vec::new();
    for at in 0..instances {
        let health = RuntimeHealth::builder()
            .detail(detail)
            .max_routes(routes.max(1))
            .serve_metrics(([127, 0, 0, 1], 0))
            .start()?;
        println!("{}", health.metrics_addr().ok_or("no exporter")?);
        running.push(tokio::spawn(work(health, routes, at)));
    }
    for instance in running {
        instance.await?;
    }
    Ok(())
}

/// Calls each route about once a second, until the process is killed.
async fn work(health: RuntimeHealth, routes: usize, at: usize) {
    let layer = health.layer().route_by(route);
    let mut service = layer.layer(service_fn(answer));
    // The instances start one after the other.
    tokio::time::sleep(Duration::from_millis(50 * at as u64)).await;
    let mut ticks = tokio::time::interval(Duration::from_millis(100));
    let slice = routes.div_ceil(10).max(1);
    loop {
        for first in (0..routes).step_by(slice) {
            ticks.tick().await;
            for route in first..routes.min(first + slice) {
                let mut request = Request::new(());
                *request.uri_mut() = uri(route);
                let Ok(answer) = service.call(request).await;
                drop(answer.into_body().collect().await);
            }
        }
    }
}

fn uri(route: usize) -> http::Uri {
    let kind = if route < BLOCKING {
        "block"
    } else if route.is_multiple_of(POOLED) {
        "pool"
    } else {
        "quick"
    };
    // The length of routes in practice.
    http::Uri::try_from(format!("/api/v1/{kind}/resource-{route}")).unwrap_or_default()
}

/// These paths are templates already.
fn route<'r>(head: RequestHead<'r>) -> Option<Cow<'r, str>> {
    Some(Cow::Borrowed(head.uri().path()))
}

async fn answer(request: Request<()>) -> Result<Answer, Infallible> {
    let path = request.uri().path();
    if path.contains("/block/") {
        std::thread::sleep(Duration::from_millis(11));
    } else if path.contains("/pool/") {
        drop(tower_runtime_health::spawn_blocking(|| ()).await);
    } else {
        tokio::task::yield_now().await;
    }
    Ok(Response::new(Full::new(Bytes::from_static(b"done"))))
}
