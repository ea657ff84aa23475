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
    // One health each: their counts are compared with what was done.
    healths: [(&'static str, RuntimeHealth); 2],
    page: Box<dyn Fn() -> String>,
}

impl Contest {
    pub fn new() -> Self {
        // Installs the recorder for the whole process and its upkeep task; without
        // it the layer would record into nothing.
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

    /// Every request was made, and through what is said to have recorded it.
    pub fn check(&self) {
        for (name, health) in &self.healths {
            let requests = counted(health, "requests_total");
            assert_eq!(requests, named(&self.contenders, name).done, "{name}");
        }
        let requests = sum(&(self.page)(), "axum_http_requests_total", "");
        assert_eq!(requests, named(&self.contenders, RIVAL).done);
    }
}
