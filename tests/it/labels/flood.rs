//! Floods of random requests: what clients send never adds a series.

use std::io::{Read, Write};
use std::net::TcpStream;

use axum::Router;
use axum::routing::any;
use http::{HeaderValue, Method, Request, Uri};
use tower::layer::Layer;
use tower::{Service, ServiceExt, service_fn};
use tower_runtime_health::RuntimeHealth;

use super::{REQUESTS, grpc, grpc_request, health, ok, page};
use crate::support::{Metrics, Server, connect, serve_axum, settled};

/// A xorshift64 generator: not a good source of randomness, but the same in each run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// A path of characters that are allowed in one.
    fn path(&mut self) -> String {
        const ALLOWED: &[u8] = b"abcXYZ0189-._~!$&'()*+,;=:@/{}%";
        let length = 1 + self.below(40);
        let mut path = String::from("/");
        while path.len() < length {
            match ALLOWED[self.below(ALLOWED.len())] {
                b'%' => path += &format!("%{:02x}", self.next() as u8),
                other => path.push(char::from(other)),
            }
        }
        path
    }

    /// A valid URI with such a path below one of these prefixes.
    fn uri(&mut self, prefixes: &[&str]) -> Uri {
        loop {
            let prefix = prefixes[self.below(prefixes.len())];
            if let Ok(uri) = format!("{prefix}{}", self.path()).parse() {
                return uri;
            }
        }
    }

    /// A path like that of a gRPC method.
    fn grpc_path(&mut self) -> String {
        format!("/pkg{:x}.Service/Method{:x}", self.next(), self.next())
    }

    fn method(&mut self) -> Method {
        let mut methods = methods();
        let odd = format!("M{:x}", self.next());
        methods[0] = Method::from_bytes(odd.as_bytes()).unwrap();
        methods[self.below(methods.len())].clone()
    }
}

/// One method for each label that the floods produce. The first has the label `_OTHER`.
fn methods() -> [Method; 6] {
    [
        Method::from_bytes(b"PURGE").unwrap(),
        Method::GET,
        Method::POST,
        Method::HEAD,
        Method::PATCH,
        Method::TRACE,
    ]
}

/// `runtime_health_series`, and the label values of the series.
fn series(metrics: &Metrics) -> (f64, Vec<String>, Vec<String>) {
    let others = [
        // On a starved machine any poll can be a blocking poll, with any cause.
        "blocking_polls_total",
        "blocking_seconds_total",
        // The pool's series exist once the figures are known.
        "blocking_threads",
        "blocking_threads_idle",
    ];
    let others =
        others.map(|name| metrics.with(&format!("runtime_health_{name}"), &[]).count() as f64);
    (
        metrics.value("runtime_health_series", &[]).unwrap() - others.iter().sum::<f64>(),
        metrics.label_values("runtime_health_poll_duration_seconds_count", "route"),
        metrics.label_values("runtime_health_poll_duration_seconds_count", "method"),
    )
}

#[test]
fn a_hundred_thousand_random_requests_add_no_series() {
    const FLOOD: usize = 100_000;
    // Without schedule delays, which are sampled, each series is there after its first request.
    let options = RuntimeHealth::builder().schedule_delay_sampling(None);
    let (runtime, health) = health(options);
    let router = Router::new()
        .route("/", any(ok))
        .route("/users/{id}", any(ok))
        .route("/files/{*path}", any(ok))
        .nest(
            "/api",
            Router::new().route("/{a}/{b}", any(ok)).fallback(ok),
        )
        .layer(health.layer());
    let warm = router.clone();
    let mut grpc = health.layer().layer(service_fn(grpc));
    let mut random = Random(0x5eed);

    let mut flood = async |requests: usize| {
        for i in 0..requests {
            if i % 3 == 0 {
                let request = grpc_request(&random.grpc_path());
                drop(grpc.call(request).await.unwrap());
                continue;
            }
            let mut request = Request::new(axum::body::Body::empty());
            *request.uri_mut() = random.uri(&["", "/users", "/files", "/api"]);
            *request.method_mut() = random.method();
            if i % 5 == 0 {
                let grpc = HeaderValue::from_static("application/grpc");
                request.headers_mut().insert("content-type", grpc);
            }
            drop(router.clone().oneshot(request).await.unwrap());
        }
    };
    // Requests each route with each method, so that all series exist.
    runtime.block_on(async {
        for path in ["/", "/users/7", "/files/a/b", "/api/a/b", "/nowhere/at/all"] {
            for method in methods() {
                let mut request = Request::new(axum::body::Body::empty());
                *request.uri_mut() = Uri::from_static(path);
                *request.method_mut() = method;
                drop(warm.clone().oneshot(request).await.unwrap());
            }
        }
    });
    let before = series(&page(&health));
    assert_eq!((before.1.len(), before.2.len()), (5, 6), "{before:?}");
    runtime.block_on(flood(FLOOD));
    let after = page(&health);
    assert_eq!(series(&after), before);
    assert_eq!(after.sum(REQUESTS, &[]), FLOOD as f64 + 30.0);
}

/// Sends the requests over one connection that is kept alive.
#[test]
fn random_requests_on_a_socket_add_no_series() {
    const BATCH: usize = 100;
    const BATCHES: usize = 50;
    let options = RuntimeHealth::builder().schedule_delay_sampling(None);
    let server = Server::layered(options, |listener, layer| {
        let router = Router::new()
            .route("/", any(nothing))
            .route("/users/{id}", any(nothing))
            .layer(layer);
        serve_axum(listener, router)
    });
    let mut random = Random(0xf00d);
    let mut stream = connect(server.addr());
    // Requests each route with each method, so that all series exist.
    let mut batch = String::new();
    for path in ["/", "/users/7", "/nowhere/at/all"] {
        for method in methods() {
            batch += &format!("{method} {path} HTTP/1.1\r\nhost: test\r\n\r\n");
        }
    }
    stream.write_all(batch.as_bytes()).unwrap();
    read_heads(&mut stream, 18);
    let before = series(&settled(&server, 18));
    assert_eq!((before.1.len(), before.2.len()), (3, 6), "{before:?}");

    for _ in 0..BATCHES {
        batch.clear();
        for _ in 0..BATCH {
            let (method, path) = (random.method(), random.uri(&["", "/users"]));
            let grpc = ["", "content-type: application/grpc\r\n"][random.below(2)];
            batch += &format!("{method} {path} HTTP/1.1\r\nhost: test\r\n{grpc}\r\n");
        }
        stream.write_all(batch.as_bytes()).unwrap();
        read_heads(&mut stream, BATCH);
    }
    let ended = (18 + BATCHES * BATCH) as u64;
    let metrics = settled(&server, ended);
    assert_eq!(series(&metrics), before);
    assert_eq!(metrics.sum(REQUESTS, &[]), ended as f64);
}

/// Answers without a body.
async fn nothing() {}

/// Reads this many answers, which have no body.
fn read_heads(stream: &mut TcpStream, answers: usize) {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    let mut ends = 0;
    while ends < answers {
        let read = stream.read(&mut buffer).unwrap();
        assert_ne!(read, 0, "closed after {ends} answers");
        bytes.extend(&buffer[..read]);
        ends = bytes.windows(4).filter(|end| end == b"\r\n\r\n").count();
    }
    assert!(bytes.ends_with(b"\r\n\r\n"));
    assert_eq!(ends, answers);
}
