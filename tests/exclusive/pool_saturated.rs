//! A blocking pool that is full says so, while it is, with who holds it: the
//! table the field quotes, scaled down in time.

use std::time::Duration;

use crate::support::{
    self, DEADLINE, Metrics, Server, fire, read_to_close, serve_axum, two_workers, wait_for,
};
use axum::Router;
use axum::routing::get;
use tower_runtime_health::{PoolFinding, PoolFindingKind, RuntimeHealth, spawn_blocking};

const POOL: usize = 40;
const REQUESTS: usize = 100;
/// A task's length: waves are told apart by bucket bounds of 0.25 and 0.5 s.
const TASK: Duration = Duration::from_millis(350);

const MAIN: [(&str, &str); 1] = [("runtime", "main")];

fn router() -> Router {
    Router::new()
        .route(
            "/slow",
            get(|| async {
                spawn_blocking(|| std::thread::sleep(TASK)).await.unwrap();
            }),
        )
        .route("/async", get(|| async { tokio::time::sleep(TASK).await }))
        .route("/idle", get(|| async {}))
}

/// Threads are counted by their name, which the tests of this process must not
/// share.
fn serve(threads: &str) -> Server {
    serve_router(threads, router())
}

fn serve_router(threads: &str, router: Router) -> Server {
    Server::layered_on(
        two_workers()
            .max_blocking_threads(POOL)
            .thread_name(threads),
        RuntimeHealth::builder().max_blocking_threads(POOL),
        |listener, layer| serve_axum(listener, router.layer(layer)),
    )
}

fn of_pool(metrics: &Metrics, name: &str) -> Option<f64> {
    metrics.value(&format!("runtime_health_blocking_{name}"), &MAIN)
}

/// Sends so many requests at once and waits for all; gives the time it took
/// and what `watch` has seen meanwhile.
#[expect(clippy::disallowed_methods, reason = "the clients' own time")]
fn at_once<T>(server: &Server, path: &str, watch: impl FnOnce() -> T) -> (Duration, T) {
    let started = std::time::Instant::now();
    let clients: Vec<_> = (0..REQUESTS).map(|_| fire(server, path)).collect();
    let seen = watch();
    for mut client in clients {
        assert!(read_to_close(&mut client).starts_with(b"HTTP/1.1 200"));
    }
    (started.elapsed(), seen)
}

fn saturated(server: &Server) -> Vec<PoolFinding> {
    let mut findings = server.health().pool_findings();
    findings.retain(|finding| finding.kind == PoolFindingKind::Saturated);
    findings
}

#[test]
fn a_hundred_requests_on_forty_threads_are_seen_in_three_waves() {
    let _alone = crate::alone();
    let server = serve("waves");
    assert_eq!(support::get(server.addr(), "/idle").status, 200);
    let (took, (peak, moving)) = at_once(&server, "/slow", || {
        let mut peak = (0.0, 0.0);
        wait_for(DEADLINE, || {
            let metrics = server.metrics();
            let tasks = |state| {
                let labels = [("route", "/slow"), ("state", state)];
                metrics.sum("runtime_health_blocking_tasks", &labels)
            };
            peak = (tasks("running"), tasks("queued"));
            peak == (40.0, 60.0)
        });
        // The counter moves while it goes on.
        let mut moving = Vec::new();
        wait_for(DEADLINE, || {
            let metrics = server.metrics();
            let seconds = of_pool(&metrics, "saturated_seconds_total").unwrap();
            if moving.last().is_none_or(|last| seconds > *last) && seconds > 0.0 {
                moving.push(seconds);
                if moving.len() == 1 {
                    let depth = of_pool(&metrics, "queue_depth").unwrap();
                    assert!((40.0..=60.0).contains(&depth), "{depth} queued");
                    let threads = of_pool(&metrics, "threads").unwrap();
                    assert!((40.0..=41.0).contains(&threads), "{threads} threads");
                }
            }
            moving.len() == 3
        });
        // And the finding stands while it goes on.
        wait_for(DEADLINE, || !saturated(&server).is_empty());
        let finding = saturated(&server).remove(0);
        assert!(!finding.is_over, "{finding}");
        let holder = &finding.holders[0];
        assert_eq!((&*holder.route, holder.tasks), ("/slow", POOL as u64));
        assert!(holder.site.starts_with(file!()), "{}", holder.site);
        (peak, moving)
    });
    assert_eq!(peak, (40.0, 60.0));
    assert!(moving.is_sorted());

    // 40 at once, 40 after one task length, 20 after two.
    let metrics = server.metrics();
    let waves = |bound| {
        let labels = [("route", "/slow"), ("le", bound)];
        metrics.sum("runtime_health_blocking_queue_wait_seconds_bucket", &labels)
    };
    assert_eq!(
        [waves("0.25"), waves("0.5"), waves("1")],
        [40.0, 80.0, 100.0]
    );
    let lengths = took.as_secs_f64() / TASK.as_secs_f64();
    assert!((3.0..4.5).contains(&lengths), "{lengths} task lengths");

    // Names that nobody has read before take their time, in a debug build.
    wait_for(DEADLINE, || {
        let has_names = |finding: &PoolFinding| {
            let mut examples = finding.examples.iter();
            examples.all(|example| example.confidence.is_some())
        };
        let findings = saturated(&server);
        findings
            .iter()
            .all(|finding| finding.is_over && has_names(finding))
    });
    let findings = saturated(&server);
    assert_eq!(findings.len(), 1, "{findings:?}");
    let finding = &findings[0];
    let text = finding.to_string();
    assert_eq!((finding.limit, finding.most_queued), (40, 60), "{text}");
    // Until the last 20 begin.
    let lasted = finding.lasted.as_secs_f64() / TASK.as_secs_f64();
    assert!(
        (1.5..3.0).contains(&lasted),
        "{lasted} task lengths\n{text}"
    );
    assert!(finding.longest_wait >= TASK, "{text}");
    assert!(
        finding.no_progress.is_none() && !finding.is_deadlock,
        "{text}"
    );
    let seconds = of_pool(&server.metrics(), "saturated_seconds_total").unwrap();
    let expected = finding.lasted.as_secs_f64();
    assert!(
        (seconds - expected).abs() < 0.1,
        "{seconds} s and {expected} s"
    );
    // The tasks' sleep is not the handler's. (To start 40 threads may be.)
    let slept = [("route", "/slow"), ("cause", "sleep")];
    let polls = "runtime_health_blocking_polls_total";
    assert_eq!(server.metrics().sum(polls, &slept), 0.0);

    // Where stacks are read they show what the tasks are at, and where.
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    {
        let example = &finding.examples[0];
        assert_eq!(example.cause, tower_runtime_health::Cause::Sleep, "{text}");
        let place = example.place.as_ref().unwrap().to_string();
        assert!(place.contains(file!()), "{text}");
    }

    let (took, ()) = at_once(&server, "/async", || {});
    let lengths = took.as_secs_f64() / TASK.as_secs_f64();
    assert!((1.0..2.5).contains(&lengths), "{lengths} task lengths");
}

/// What an extractor does with a token: about a microsecond.
fn decode(token: &[u8]) -> u64 {
    let step = |sum: u64, byte: &u8| sum.wrapping_mul(31).wrapping_add(u64::from(*byte));
    token.iter().fold(7, step)
}

#[test]
fn short_work_costs_more_to_hand_over_than_to_do() {
    let _alone = crate::alone();
    const TIMES: usize = 200;
    let token = b"eyJzdWIiOiI0MiIsImV4cCI6MTc2NDAwMDAwMH0";
    let router = Router::new()
        .route(
            "/me/pool",
            get(move || async move {
                let sum = spawn_blocking(move || decode(token)).await.unwrap();
                sum.to_string()
            }),
        )
        .route(
            "/me/inline",
            get(move || async move { decode(token).to_string() }),
        );
    let server = serve_router("short", router);
    for _ in 0..TIMES {
        let [pool, inline] =
            ["/me/pool", "/me/inline"].map(|path| support::get(server.addr(), path));
        assert_eq!(pool.body, inline.body);
    }
    let metrics = support::settled(&server, 2 * TIMES as u64);
    let mean = |name: &str, route: &str| {
        let of = |part: &str| {
            metrics.sum(
                &format!("runtime_health_{name}_{part}"),
                &[("route", route)],
            )
        };
        of("sum") / of("count") * 1e6
    };
    let wait = mean("blocking_queue_wait_seconds", "/me/pool");
    let run = mean("blocking_run_seconds", "/me/pool");
    let requests = ["/me/pool", "/me/inline"].map(|route| mean("request_duration_seconds", route));
    println!(
        "in the pool: {wait:.1} µs of waiting for {run:.1} µs of work; \
         a request takes {:.1} µs, and {:.1} µs inline",
        requests[0], requests[1]
    );
    assert!(wait > run, "{wait} µs and {run} µs");
    assert!(requests[0] > requests[1], "{requests:?}");
}

#[test]
fn findings_on_the_pool_are_served_as_json() {
    let _alone = crate::alone();
    let server = serve("json");
    let (_, ()) = at_once(&server, "/slow", || {
        wait_for(DEADLINE, || !saturated(&server).is_empty());
        let exporter = server.health().metrics_addr().unwrap();
        let page: serde_json::Value =
            serde_json::from_str(&support::get(exporter, "/findings").body).unwrap();
        let finding = &page["pool_findings"][0];
        assert_eq!(finding["kind"], "saturated");
        assert_eq!(finding["limit"], 40);
        assert_eq!(finding["is_over"], false);
        assert_eq!(finding["holders"][0]["route"], "/slow");
        assert!(finding["advice"].as_str().unwrap().contains("async"));
    });
}
