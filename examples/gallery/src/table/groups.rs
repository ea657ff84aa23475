use super::Needs::{Postgres, Redis};
use super::{Group, Place, Row, Verdict};

const POOL: &[&str] = &["async client", "spawn_blocking"];

/// Blocks in a poll of the handler.
const fn blocks(cause: &'static str, advice: &'static [&'static str]) -> Verdict {
    blocks_in("poll", cause, advice)
}

const fn blocks_in(
    phase: &'static str,
    cause: &'static str,
    advice: &'static [&'static str],
) -> Verdict {
    Verdict::Blocks {
        cause,
        phase,
        advice,
    }
}

const fn at(file: &'static str, function: &'static str, code: &'static str) -> Option<Place> {
    Some(Place {
        file,
        function,
        code,
    })
}

const fn get(id: &'static str, route: &'static str, does: &'static str, verdict: Verdict) -> Row {
    Row {
        id,
        method: "GET",
        route,
        does,
        requests: 4,
        at_once: true,
        verdict,
        place: None,
        needs: None,
    }
}

const fn post(id: &'static str, route: &'static str, does: &'static str, verdict: Verdict) -> Row {
    let row = get(id, route, does, verdict);
    Row {
        method: "POST",
        ..row
    }
}

/// In the order of the table.
pub static GROUPS: &[Group] = &[
    Group {
        title: "Sleep",
        mistake: "std::thread::sleep stops the worker, and with it every request that waits for it.",
        repair: "A timer of tokio holds no thread at all; inside spawn_blocking the sleep holds a thread of the pool, which is there for it but has a limit.",
        rows: &[
            Row {
                place: at(
                    "src/service/ping.rs",
                    "gallery::service::ping::terrible",
                    "std::thread::sleep",
                ),
                ..get(
                    "1",
                    "/ping/terrible",
                    "std::thread::sleep in the handler",
                    blocks("sleep", &["tokio::time::sleep(..).await"]),
                )
            },
            get(
                "2",
                "/ping/good",
                "the same sleep inside spawn_blocking",
                Verdict::PoolByRoute,
            ),
            get(
                "3",
                "/ping/perfect",
                "tokio::time::sleep(..).await",
                Verdict::Nothing,
            ),
        ],
    },
    Group {
        title: "Another service, over HTTP",
        mistake: "A synchronous HTTP client waits for its answer on the worker.",
        repair: "An async client waits without a thread; a synchronous SDK that has none goes into spawn_blocking.",
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
                    blocks("network_io", POOL),
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
    },
    Group {
        title: "Computation",
        mistake: "A computation of seconds in the handler is seconds in which its worker serves nobody else.",
        repair: "Put it on a queue, of a pool sized to the cores or of a process of its own, answer 202 at once and let the client ask for the state.",
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
                    "a queue before a rayon pool",
                    Verdict::Nothing,
                )
            },
            Row {
                requests: 2,
                needs: Some(Redis),
                ..post(
                    "8-redis",
                    "/video/jobs",
                    "a queue on Redis, worked off by a process of its own",
                    Verdict::Nothing,
                )
            },
        ],
    },
    Group {
        title: "PostgreSQL",
        mistake: "A synchronous driver waits for the database on the worker.",
        repair: "An async driver waits without a thread; a synchronous one goes into spawn_blocking.",
        rows: &[
            Row {
                needs: Some(Postgres),
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
                needs: Some(Postgres),
                ..get(
                    "10",
                    "/posts/async",
                    "tokio-postgres, awaited",
                    Verdict::Nothing,
                )
            },
            Row {
                needs: Some(Postgres),
                ..get(
                    "11",
                    "/posts/pool",
                    "postgres inside spawn_blocking",
                    Verdict::PoolByRoute,
                )
            },
        ],
    },
    Group {
        title: "Files",
        mistake: "std::fs waits for the disk on the worker; most days it is fast, and one night it is not.",
        repair: "tokio::fs reads on the blocking pool, which shows in the pool's figures.",
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
    },
    Group {
        title: "An external API",
        mistake: "Whoever runs a slow API decides how long a worker that waits for it stands still.",
        repair: "Awaited, a hundred of its answers cost no thread; through the pool they cost one each.",
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
                    blocks("network_io", POOL),
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
    },
    Group {
        title: "A full blocking pool",
        mistake: "A hundred requests that hold a thread each, and forty threads: sixty wait, and so does whatever else needs the pool.",
        repair: "Wait without a thread: an async client, or a queue; a higher limit is a stopgap.",
        rows: &[
            Row {
                requests: 100,
                ..get(
                    "15",
                    "/slow",
                    "five times as long as other rows, inside spawn_blocking",
                    Verdict::Saturated,
                )
            },
            Row {
                requests: 100,
                ..get(
                    "15-async",
                    "/slow/async",
                    "as long, awaited",
                    Verdict::Nothing,
                )
            },
        ],
    },
    Group {
        title: "Short pure work",
        mistake: "Through spawn_blocking, a token that is decoded in a microsecond takes many, most of them on the way.",
        repair: "Short pure work belongs inline.",
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
                    "the same extractor without",
                    Verdict::Nothing,
                )
            },
        ],
    },
    Group {
        title: "A lock",
        mistake: "The worker waits for a std::sync::Mutex that another request holds while it reloads.",
        repair: "Reload first, and hold the lock for the swap only; a lock that is held across an await is tokio's.",
        rows: &[
            Row {
                place: at(
                    "src/service/stock.rs",
                    "gallery::service::stock::held",
                    ".lock()",
                ),
                ..get(
                    "17",
                    "/stock/held",
                    "a Mutex that a reload holds for long",
                    blocks("lock", &["hold the lock for less", "tokio::sync"]),
                )
            },
            get(
                "17-swap",
                "/stock/swapped",
                "the reload holds it for the swap",
                Verdict::PoolByRoute,
            ),
        ],
    },
    Group {
        title: "A child process",
        mistake: "Command::output() of std waits for the child on the worker.",
        repair: "tokio's Command has the same methods, awaited.",
        rows: &[
            Row {
                place: at(
                    "src/service/child.rs",
                    "gallery::service::child::sync",
                    ".output()",
                ),
                ..get(
                    "18",
                    "/thumbnail/sync",
                    "std::process::Command::output()",
                    blocks("child_process", &["tokio::process::Command"]),
                )
            },
            get(
                "18-async",
                "/thumbnail/async",
                "tokio::process::Command::output().await",
                Verdict::Nothing,
            ),
        ],
    },
    Group {
        title: "A name lookup",
        mistake: "to_socket_addrs() asks the resolver and waits for it on the worker.",
        repair: "tokio::net::lookup_host asks from the blocking pool.",
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
    },
    Group {
        title: "block_in_place",
        mistake: "The worker hands its queue to another thread first, so nobody waits: counted apart, not flagged.",
        repair: "spawn_blocking does the same with a limit, and works on a runtime of one thread.",
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
    },
    Group {
        title: "A starved machine",
        mistake: "Three busy processes to each processor: a handler of four milliseconds takes many times as long.",
        repair: "There is nothing to change in the handler: give the process more CPU.",
        rows: &[get(
            "21",
            "/innocent",
            "short work, preempted",
            Verdict::Preempted,
        )],
    },
    Group {
        title: "Long, and innocent",
        mistake: "A request may take seconds and ten thousand polls, and block nobody.",
        repair: "Neither is flagged: what counts is how long one poll takes.",
        rows: &[
            get("22", "/report", "awaits for long", Verdict::Nothing),
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
    },
    Group {
        title: "A slow body",
        mistake: "The handler has long returned, and the stream of its body blocks when it is polled.",
        repair: "A stream that awaits.",
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
    },
    Group {
        title: "A slow call",
        mistake: "A middleware that blocks in Service::call does so before there is a future.",
        repair: "Do it in the future that call returns, awaited.",
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
    },
];
