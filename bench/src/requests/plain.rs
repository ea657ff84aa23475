use axum_prometheus::PrometheusMetricLayer;
use tower::Layer;
use tower_runtime_health::RuntimeHealth;
use tower_runtime_health_bench::check::{counted, health, health_by_default};
use tower_runtime_health_bench::contender::Contender;
use tower_runtime_health_bench::layers::{route, sum};
use tower_runtime_health_bench::table::named;

use super::work::{send, service};
use super::{AGAIN, BARE};

const REQUESTS: u64 = 4_000;

const OURS: &str = "our layer";
const PLAIN: &str = "our layer, no delay sampling";
const RIVAL: &str = "axum-prometheus";

pub struct Contest {
    pub contenders: Vec<Contender>,
    // One instance for each contender: their counts are compared with the requests sent.
    healths: [(&'static str, RuntimeHealth); 2],
    page: Box<dyn Fn() -> String>,
}

impl Contest {
    pub fn new() -> Self {
        // Installs the process-wide recorder and its upkeep task. Without it the layer
        // would record nothing.
        let (rival, exporter) = PrometheusMetricLayer::pair();
        let healths = [(OURS, health_by_default()), (PLAIN, health(None))];
        let bare = || send::<_, (), _>(service());
        let mut contenders = vec![
            Contender::new(BARE, REQUESTS, bare),
            Contender::new(AGAIN, REQUESTS, bare),
        ];
        for (name, health) in healths.clone() {
            contenders.push(Contender::new(name, REQUESTS, move || {
                send::<_, (), _>(health.layer().route_by(route).layer(service()))
            }));
        }
        contenders.push(Contender::new(RIVAL, REQUESTS, move || {
            send::<_, (), _>(rival.layer(service()))
        }));
        Self {
            contenders,
            healths,
            page: Box::new(move || exporter.render()),
        }
    }

    /// Checks that every contender recorded exactly the requests that it served.
    pub fn check(&self) {
        for (name, health) in &self.healths {
            let requests = counted(health, "requests_total");
            assert_eq!(requests, named(&self.contenders, name).done, "{name}");
        }
        let requests = sum(&(self.page)(), "axum_http_requests_total", "");
        assert_eq!(requests, named(&self.contenders, RIVAL).done);
    }
}
