//! Computation.

use super::{at, blocks, get, post};
use crate::table::{Group, Needs, Row, Verdict};

pub const COMPUTATION: Group = Group {
    title: "Computation",
    mistake: "While the handler computes, its worker serves no other request.",
    repair: "Put the computation on a queue, in a pool sized to the cores or in a process of its own, answer 202 at once and let the client ask for the state.",
    rows: &[
        Row {
            requests: 2,
            place: at("src/video/mod.rs", "gallery::video::", ""),
            ..post(
                "7",
                "/video/inline",
                "computes in the handler",
                blocks("cpu", &["rayon", "job queue", "spawn_blocking"]),
            )
        },
        Row {
            requests: 2,
            ..post(
                "8",
                "/video/queued",
                "puts the job on a queue in front of a rayon pool",
                Verdict::Nothing,
            )
        },
        Row {
            requests: 2,
            needs: Some(Needs::Redis),
            ..post(
                "8-redis",
                "/video/jobs",
                "puts the job on a queue in Redis, which a worker process serves",
                Verdict::Nothing,
            )
        },
    ],
};

pub const SHORT_WORK: Group = Group {
    title: "Short computation",
    mistake: "Decoding a token takes about a microsecond, and through spawn_blocking many times as long.",
    repair: "Keep short computation inline.",
    rows: &[
        Row {
            requests: 200,
            at_once: false,
            ..get(
                "16-pool",
                "/me/pool",
                "an extractor that decodes a token through spawn_blocking",
                Verdict::PoolByRoute,
            )
        },
        Row {
            requests: 200,
            at_once: false,
            ..get(
                "16-inline",
                "/me/inline",
                "the same extractor, inline",
                Verdict::Nothing,
            )
        },
    ],
};

pub const STARVED: Group = Group {
    title: "A starved machine",
    mistake: "With three busy processes per processor, a poll that needs 4 ms of CPU takes many times as long.",
    repair: "The handler needs no change: give the process more CPU.",
    rows: &[get(
        "21",
        "/short",
        "short computation, preempted",
        Verdict::Preempted,
    )],
};
