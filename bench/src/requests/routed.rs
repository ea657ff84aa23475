use std::convert::Infallible;

use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response};
use tower::Service;
use tower_runtime_health_bench::contender::{self, Contender, Work};
use tower_runtime_health_bench::layers::{Kept, Middleware, Visitor};
use tower_runtime_health_bench::table::goal;

use super::work::{router, send};
use super::{AGAIN, BARE, beyond_bare};

/// The most that a request with one poll and one frame may cost, in nanoseconds.
const LIMIT: f64 = 200.0;

pub struct Circumstance {
    pub what: &'static str,
    polls: u64,
    frames: u64,
    /// Chosen so that a sample takes a few milliseconds.
    requests: u64,
}

pub const CIRCUMSTANCES: [Circumstance; 4] = [
    Circumstance {
        what: "one poll, one frame",
        polls: 1,
        frames: 1,
        requests: 3000,
    },
    Circumstance {
        what: "ten polls, one frame",
        polls: 10,
        frames: 1,
        requests: 2000,
    },
    Circumstance {
        what: "a thousand polls, one frame",
        polls: 1000,
        frames: 1,
        requests: 60,
    },
    Circumstance {
        what: "one poll, a thousand frames",
        polls: 1,
        frames: 1000,
        requests: 60,
    },
];

/// Starts the contenders, each in a process of its own.
pub fn contest(circumstance: Circumstance) -> Vec<Contender> {
    let Circumstance {
        polls,
        frames,
        requests,
        ..
    } = circumstance;
    let (polls, frames) = (polls.to_string(), frames.to_string());
    let start = |name: &str, middleware: Middleware| {
        let arguments = ["serve-requests", middleware.key(), &polls, &frames];
        Contender::process(name, requests, &arguments)
    };
    let all = Middleware::ALL.into_iter();
    let mut contenders: Vec<_> = all.map(|each| start(each.name(), each)).collect();
    contenders.push(start(AGAIN, Middleware::Bare));
    contenders
}

/// Runs in the process of a contender.
pub fn serve(middleware: Middleware, polls: u64, frames: u64) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime can be built");
    let _inside = runtime.enter();
    let (work, kept) = middleware.on(router(polls, frames), Send);
    contender::serve(work, |_| {
        let recorded = kept.recorded();
        recorded.map_or("-".into(), |recorded| recorded.to_string())
    });
}

struct Send;

impl Visitor for Send {
    type Output = (Work, Kept);

    fn visit<S, B>(self, service: S, kept: Kept) -> (Work, Kept)
    where
        S: Service<
                Request<Body>,
                Response = Response<B>,
                Error = Infallible,
                Future: std::marker::Send + 'static,
            > + Clone
            + std::marker::Send
            + Sync
            + 'static,
        B: http_body::Body<
                Data = Bytes,
                Error: Into<Box<dyn std::error::Error + std::marker::Send + Sync>>,
            > + std::marker::Send
            + 'static,
    {
        (send::<S, Body, B>(service), kept)
    }
}

/// Checks that every contender that records requests recorded all of them.
pub fn check(contenders: &mut [Contender]) {
    for contender in contenders {
        let recorded = contender.ask("recorded").expect("it is a process");
        let done = contender.done;
        assert!(
            recorded == "-" || recorded == done.to_string(),
            "{}: {recorded} of {done}",
            contender.name
        );
    }
}

pub fn verdict(contenders: &[Contender]) {
    println!("### Goals for a request (one poll, one frame)\n");
    let ours = [Middleware::Ours, Middleware::OursAround];
    for ours in ours {
        let own = beyond_bare(contenders, ours.name());
        goal(&format!("{}, ns beyond {BARE}", ours.name()), own, LIMIT);
    }
    for rival in Middleware::ALL {
        if rival.records() && !ours.contains(&rival) {
            let theirs = beyond_bare(contenders, rival.name());
            for ours in ours {
                let ratio = beyond_bare(contenders, ours.name()).with(theirs, |a, b| a / b);
                goal(
                    &format!("{} / {}, own cost", ours.name(), rival.name()),
                    ratio,
                    1.0,
                );
            }
        }
    }
    println!();
}
