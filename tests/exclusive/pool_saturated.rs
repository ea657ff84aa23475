//! A saturated blocking pool is reported while it is saturated, with the tasks that occupy it.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tower_runtime_health::{PoolFinding, PoolFindingKind, RuntimeHealth, spawn_blocking};

use crate::isolation::exclusive;
use crate::support::{
    self, DEADLINE, Metrics, Server, fire, read_to_close, serve_axum, two_workers, wait_for,
};

const POOL: usize = 40;
const REQUESTS: usize = 100;
/// How long a task runs. The bucket bounds of 0.25 and 0.5 s tell its waves apart.
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

/// Threads are counted by name, so each test gives its runtime's threads a name of its own.
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

/// Sends [`REQUESTS`] requests at once and waits for all answers. Returns the time that took, and
/// what `watch` returned meanwhile.
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
fn a_hundred_tasks_on_forty_threads_run_in_three_waves_and_saturate_the_pool() {
    let _exclusive = exclusive();
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
        // The counter increases during saturation.
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
        // The finding is reported during saturation.
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

    // In a debug build it takes a while to read symbols for the first time.
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
    // Saturation ends when the last 20 tasks start.
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
    // The tasks' sleep is not attributed to the handler. (Starting 40 threads may be.)
    let slept = [("route", "/slow"), ("cause", "sleep")];
    let polls = "runtime_health_blocking_polls_total";
    assert_eq!(server.metrics().sum(polls, &slept), 0.0);

    // Where stacks can be read, they show what the tasks do, and where.
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

/// Stands for an extractor that decodes a token: about a microsecond of work.
fn decode(token: &[u8]) -> u64 {
    let step = |sum: u64, byte: &u8| sum.wrapping_mul(31).wrapping_add(u64::from(*byte));
    token.iter().fold(7, step)
}

#[test]
fn for_short_work_the_pools_queue_wait_exceeds_the_run_time() {
    let _exclusive = exclusive();
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
fn pool_findings_are_served_as_json() {
    let _exclusive = exclusive();
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
