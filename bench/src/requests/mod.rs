//! Second part: what one request costs.

mod work;

use axum::body::Body;
use axum_prometheus::PrometheusMetricLayer;
use tower::Layer;
use tower_runtime_health::RuntimeHealth;
use tower_runtime_health_bench::layers::{route, sum};

use tower_runtime_health_bench::check::{counted, health, health_by_default};
use tower_runtime_health_bench::contender::{Contender, Work, rounds, run};
use tower_runtime_health_bench::table::{named, own, print};

const ROUNDS: usize = 151;
const REQUESTS: u64 = 4_000;

const BARE: &str = "bare";
const OURS: &str = "our layer";
const PLAIN: &str = "our layer, no delay sampling";
const RIVAL: &str = "axum-prometheus";

/// The contenders of one kind of service. One health each: their counts are
/// compared with what was done.
fn contest(
    healths: &[RuntimeHealth; 2],
    bare: impl Fn() -> Work + Copy + Send + Sync + 'static,
    ours: impl Fn(&RuntimeHealth) -> Work + Copy + Send + Sync + 'static,
    rival: impl Fn() -> Work + Send + Sync + 'static,
) -> Vec<Contender> {
    let [default, plain] = healths.clone();
    vec![
        Contender::new(BARE, REQUESTS, bare),
        Contender::new("bare, again (A/A)", REQUESTS, bare),
        Contender::new(OURS, REQUESTS, move || ours(&default)),
        Contender::new(PLAIN, REQUESTS, move || ours(&plain)),
        Contender::new(RIVAL, REQUESTS, rival),
    ]
}

pub fn compete() {
    // Installs the recorder for the whole process and its upkeep task; without
    // it the layer would record into nothing.
    let (layer, exporter) = PrometheusMetricLayer::pair();
    let healths = [(); 2].map(|()| [health_by_default(), health(0)]);

    let around = layer.clone();
    let whole = contest(
        &healths[0],
        || work::send::<_, (), _>(work::service()),
        |health| work::send::<_, (), _>(health.layer().route_by(route).layer(work::service())),
        move || work::send::<_, (), _>(around.layer(work::service())),
    );
    let routed = contest(
        &healths[1],
        || work::send::<_, Body, _>(work::router()),
        |health| work::send::<_, Body, _>(work::router().layer(health.layer())),
        move || work::send::<_, Body, _>(work::router().layer(layer.clone())),
    );

    let mut kinds = [
        (whole, "around a whole service, without axum", "/users/7"),
        (
            routed,
            "through an axum router, by `Router::layer`",
            "/users/{id}",
        ),
    ];
    let mut all: Vec<&mut Contender> = kinds.iter_mut().flat_map(|kind| &mut kind.0).collect();
    let rounds = rounds(ROUNDS);
    run(rounds, &mut all);

    println!("## A request\n\n{rounds} rounds of {REQUESTS} requests. Own: beyond *{BARE}*.\n");
    for ((contenders, heading, endpoint), healths) in kinds.iter().zip(&healths) {
        for (name, health) in [OURS, PLAIN].into_iter().zip(healths) {
            let requests = counted(health, "requests_total");
            assert_eq!(requests, named(contenders, name).done, "{name}");
        }
        let endpoint = format!("endpoint=\"{endpoint}\"");
        let requests = sum(&exporter.render(), "axum_http_requests_total", &endpoint);
        assert_eq!(requests, named(contenders, RIVAL).done);

        println!("### Requests: {heading}\n");
        let bare = named(contenders, BARE).figure().median;
        print(contenders, BARE, "/ bare", |median, _| median / bare);
        let rival = own(contenders, RIVAL, BARE);
        for name in [OURS, PLAIN] {
            let ratio = own(contenders, name, BARE).with(rival, |a, b| a / b);
            println!("- own cost, {name} / {RIVAL}: {:.2}", ratio.median);
        }
        println!();
    }
    for (contenders, ..) in kinds {
        contenders.into_iter().for_each(Contender::finish);
    }
}
