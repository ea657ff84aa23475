//! Waiting for the network and for files.

use super::{NETWORK_ADVICE, at, blocks, get};
use crate::table::{Group, Needs, Row, Verdict};

pub const HTTP: Group = Group {
    title: "Another service, over HTTP",
    mistake: "A synchronous HTTP client blocks the worker until the answer arrives.",
    repair: "Await an async client, or call a synchronous SDK that has no async counterpart from spawn_blocking.",
    rows: &[
        Row {
            place: at(
                "src/service/users.rs",
                "gallery::service::users::sync",
                ".call()",
            ),
            ..get(
                "4",
                "/users/sync/{id}",
                "ureq in the handler",
                blocks("network_io", NETWORK_ADVICE),
            )
        },
        get(
            "5",
            "/users/async/{id}",
            "reqwest, awaited",
            Verdict::Nothing,
        ),
        get(
            "6",
            "/users/pool/{id}",
            "ureq inside spawn_blocking",
            Verdict::PoolByRoute,
        ),
    ],
};

pub const POSTGRESQL: Group = Group {
    title: "PostgreSQL",
    mistake: "A synchronous driver blocks the worker until the database answers.",
    repair: "Await an async driver, or call the synchronous one from spawn_blocking.",
    rows: &[
        Row {
            needs: Some(Needs::Postgres),
            place: at(
                "src/service/posts.rs",
                "gallery::service::posts::sync",
                ".load(",
            ),
            ..get(
                "9",
                "/posts/sync",
                "diesel in the handler",
                blocks("network_io", &["tokio-postgres", "spawn_blocking"]),
            )
        },
        Row {
            needs: Some(Needs::Postgres),
            ..get(
                "10",
                "/posts/async",
                "tokio-postgres, awaited",
                Verdict::Nothing,
            )
        },
        Row {
            needs: Some(Needs::Postgres),
            ..get(
                "11",
                "/posts/pool",
                "postgres inside spawn_blocking",
                Verdict::PoolByRoute,
            )
        },
    ],
};

pub const FILES: Group = Group {
    title: "Files",
    mistake: "std::fs blocks the worker until the disk answers, and a disk is not always fast.",
    repair: "tokio::fs reads on the blocking pool, and the pool's figures show it.",
    rows: &[
        Row {
            place: at(
                "src/service/files.rs",
                "gallery::service::files::sync",
                "std::fs::read_to_string",
            ),
            ..get(
                "12",
                "/file/sync/{name}",
                "std::fs in the handler, on a slow file",
                blocks("file_io", &["tokio::fs", "spawn_blocking"]),
            )
        },
        get(
            "13",
            "/file/async/{name}",
            "tokio::fs on the same file",
            Verdict::PoolSeen,
        ),
    ],
};

pub const EXTERNAL_API: Group = Group {
    title: "An external API",
    mistake: "A synchronous call blocks the worker for as long as the API takes to answer.",
    repair: "A hundred awaited calls occupy no thread; a hundred calls on the pool occupy a hundred.",
    rows: &[
        Row {
            place: at(
                "src/service/weather.rs",
                "gallery::service::weather::sync",
                ".call()",
            ),
            ..get(
                "14-sync",
                "/weather/sync/{city}",
                "ureq in the handler",
                blocks("network_io", NETWORK_ADVICE),
            )
        },
        get(
            "14-async",
            "/weather/async/{city}",
            "reqwest, awaited",
            Verdict::Nothing,
        ),
        get(
            "14-pool",
            "/weather/pool/{city}",
            "ureq inside spawn_blocking",
            Verdict::PoolByRoute,
        ),
    ],
};

pub const NAME_LOOKUP: Group = Group {
    title: "A name lookup",
    mistake: "to_socket_addrs() blocks the worker until the resolver answers.",
    repair: "tokio::net::lookup_host resolves on the blocking pool.",
    rows: &[
        Row {
            place: at(
                "src/service/lookup.rs",
                "gallery::service::lookup::sync",
                ".to_socket_addrs()",
            ),
            ..get(
                "19",
                "/lookup/sync",
                "ToSocketAddrs on a slow resolver",
                blocks("dns", &["tokio::net::lookup_host"]),
            )
        },
        get(
            "19-async",
            "/lookup/async",
            "tokio::net::lookup_host(..).await",
            Verdict::PoolSeen,
        ),
    ],
};
