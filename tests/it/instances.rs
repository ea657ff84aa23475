//! Several instances in one process.

use tower_runtime_health::RuntimeHealth;

use crate::support::{LOOPBACK, Metrics, scrape};

#[test]
fn collectors_share_a_registry_under_different_namespaces() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let start = |namespace: &str| {
        let options = RuntimeHealth::builder().namespace(namespace);
        options
            .observe_runtime(runtime.handle(), "main")
            .start()
            .unwrap()
    };
    let (red, blue) = (start("red"), start("blue_2"));
    let registry = prometheus::Registry::new();
    registry.register(Box::new(red.collector())).unwrap();
    registry.register(Box::new(blue.collector())).unwrap();
    assert!(
        registry.register(Box::new(red.collector())).is_err(),
        "registered twice"
    );
    let page = prometheus::TextEncoder::new()
        .encode_to_string(&registry.gather())
        .unwrap();
    let metrics = Metrics::parse(&page);
    for namespace in ["red", "blue_2"] {
        assert_eq!(metrics.sum(&format!("{namespace}_build_info"), &[]), 1.0);
    }
    assert!(red.render().contains("red_build_info{"));
}

#[test]
fn two_instances_work_side_by_side() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let start = || {
        let options = RuntimeHealth::builder().serve_metrics(LOOPBACK);
        options
            .observe_runtime(runtime.handle(), "main")
            .start()
            .unwrap()
    };
    let (one, two) = (start(), start());
    let both = tower::ServiceBuilder::new()
        .layer(one.layer().route_by(|_| Some("/one".into())))
        .layer(two.layer().route_by(|_| Some("/two".into())))
        .service_fn(|_: http::Request<()>| async {
            Ok::<_, std::convert::Infallible>(http::Response::new(String::new()))
        });
    for _ in 0..3 {
        let request = http::Request::new(());
        drop(
            runtime
                .block_on(tower::ServiceExt::oneshot(both.clone(), request))
                .unwrap(),
        );
    }
    for (health, route, other) in [(&one, "/one", "/two"), (&two, "/two", "/one")] {
        let metrics = scrape(health.metrics_addr().unwrap());
        let ended = |route| metrics.sum("runtime_health_requests_total", &[("route", route)]);
        assert_eq!((ended(route), ended(other)), (3.0, 0.0));
        let polls = [("route", route)];
        // The call and the future's poll; the body is empty.
        assert_eq!(
            metrics.sum("runtime_health_poll_duration_seconds_count", &polls),
            6.0
        );
    }
}
