//! The blocking pool, and `block_in_place`.

use super::{at, get};
use crate::table::{Group, Row, Verdict};

pub const FULL_POOL: Group = Group {
    title: "A full blocking pool",
    mistake: "A hundred requests need a pool thread each and the pool has forty: sixty wait, and so does any other task of the pool.",
    repair: "Use an async client or a queue, which occupy no thread while they wait; raising the limit is a stopgap.",
    rows: &[
        Row {
            requests: 100,
            ..get(
                "15",
                "/slow",
                "sleeps five times as long as other rows, inside spawn_blocking",
                Verdict::Saturated,
            )
        },
        Row {
            requests: 100,
            ..get(
                "15-async",
                "/slow/async",
                "the same time, awaited",
                Verdict::Nothing,
            )
        },
    ],
};

pub const IN_PLACE: Group = Group {
    title: "block_in_place",
    mistake: "tokio first moves the worker's queue to another thread, so no other task waits; the layer counts such polls separately and blames no handler.",
    repair: "spawn_blocking does the same within the limit of the pool, and works on a current-thread runtime too.",
    rows: &[Row {
        place: at(
            "src/service/in_place.rs",
            "gallery::service::in_place::sleeps",
            "std::thread::sleep",
        ),
        ..get(
            "20",
            "/in-place",
            "a sleep inside tokio::task::block_in_place",
            Verdict::InPlace,
        )
    }],
};
