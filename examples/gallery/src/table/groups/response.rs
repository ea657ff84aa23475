//! What happens around the handler: its response, its body, a middleware.

use super::{at, blocks_in, get};
use crate::table::{Group, Row, Verdict};

pub const LONG_REQUESTS: Group = Group {
    title: "Long requests that block nothing",
    mistake: "A request may take seconds, or ten thousand polls, and block nothing.",
    repair: "The layer flags neither, because only the duration of a single poll counts.",
    rows: &[
        get(
            "22",
            "/report",
            "awaits five times as long as other rows",
            Verdict::Nothing,
        ),
        Row {
            requests: 2,
            ..get(
                "23",
                "/frames",
                "streams 10,000 small frames",
                Verdict::Nothing,
            )
        },
    ],
};

pub const SLOW_BODY: Group = Group {
    title: "A slow body",
    mistake: "The handler has returned, but the stream of its response body blocks when it is polled.",
    repair: "Use a stream that awaits.",
    rows: &[
        Row {
            place: at(
                "src/service/streams.rs",
                "gallery::service::streams::slow_body",
                "std::thread::sleep",
            ),
            ..get(
                "24",
                "/export/sync",
                "a body that sleeps in its poll",
                blocks_in("body", "sleep", &["tokio::time::sleep(..).await"]),
            )
        },
        get(
            "24-async",
            "/export/async",
            "a body that awaits",
            Verdict::Nothing,
        ),
    ],
};

pub const SLOW_CALL: Group = Group {
    title: "A slow call",
    mistake: "A middleware that blocks in Service::call does so before there is a future.",
    repair: "Await in the future that call returns.",
    rows: &[
        Row {
            place: at("src/service/audit.rs", "call", "std::thread::sleep"),
            ..get(
                "25",
                "/audit/sync",
                "a middleware that sleeps in call",
                blocks_in("call", "sleep", &["tokio::time::sleep(..).await"]),
            )
        },
        get(
            "25-async",
            "/audit/async",
            "a middleware that awaits in its future",
            Verdict::Nothing,
        ),
    ],
};
