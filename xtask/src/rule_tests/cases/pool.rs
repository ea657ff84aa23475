//! Alerts on the blocking pool.

use super::{Case, MAIN, case};

pub fn pool() -> Vec<Case> {
    let full = "RuntimeHealthPoolNearlyFull";
    let saturated = "RuntimeHealthPoolSaturated";
    let wait = "RuntimeHealthPoolQueueWait";
    let stuck = "RuntimeHealthPoolStuck";
    let threads = r#"blocking_threads{runtime="main"}"#;
    let idle = r#"blocking_threads_idle{runtime="main"}"#;
    let limit = r#"blocking_threads_max{runtime="main"}"#;
    let seconds = r#"blocking_saturated_seconds_total{runtime="main"}"#;
    let age = r#"blocking_probe_age_seconds{runtime="main"}"#;
    vec![
        case(
            full,
            "38 of 40 threads exist, 2 of them idle",
            &[(threads, "38x60"), (idle, "2x60"), (limit, "40x60")],
            "10m",
            &[("warning", MAIN, "90%")],
        ),
        case(
            full,
            "36 of 40 threads exist, idle count unknown",
            &[(threads, "36x60"), (limit, "40x60")],
            "10m",
            &[("warning", MAIN, "90%")],
        ),
        case(
            full,
            "40 of 40 threads exist, most of them idle",
            &[(threads, "40x60"), (idle, "30x60"), (limit, "40x60")],
            "10m",
            &[],
        ),
        case(
            full,
            "the pool is full for one minute",
            &[(threads, "1x8 40 1x50"), (limit, "40x60")],
            "10m",
            &[],
        ),
        case(
            saturated,
            "saturated for 12 s per minute",
            &[(seconds, "0+12x60")],
            "20m",
            &[("warning", MAIN, "20%")],
        ),
        case(
            saturated,
            "saturated for 36 s per minute",
            &[(seconds, "0+36x60")],
            "20m",
            &[("warning", MAIN, "60%"), ("critical", MAIN, "60%")],
        ),
        case(
            saturated,
            "saturation ended long ago",
            &[(seconds, "0+36x5 180x60")],
            "30m",
            &[],
        ),
        case(
            wait,
            "one in ten tasks waits up to 250 ms",
            &[
                (
                    r#"blocking_queue_wait_seconds_bucket{route="/a",le="0.1"}"#,
                    "0+90x60",
                ),
                (
                    r#"blocking_queue_wait_seconds_bucket{route="/a",le="0.25"}"#,
                    "0+100x60",
                ),
                (
                    r#"blocking_queue_wait_seconds_bucket{route="/a",le="+Inf"}"#,
                    "0+100x60",
                ),
            ],
            "20m",
            &[("warning", &[], "235ms")],
        ),
        case(
            wait,
            "probes wait, and no wrapped tasks exist",
            &[
                (
                    r#"blocking_probe_wait_seconds_bucket{runtime="main",le="0.5"}"#,
                    "0+0x60",
                ),
                (
                    r#"blocking_probe_wait_seconds_bucket{runtime="main",le="1"}"#,
                    "0+60x60",
                ),
                (
                    r#"blocking_probe_wait_seconds_bucket{runtime="main",le="+Inf"}"#,
                    "0+60x60",
                ),
            ],
            "20m",
            &[("warning", &[], "995ms")],
        ),
        case(
            wait,
            "all tasks wait less than 100 ms",
            &[
                (
                    r#"blocking_queue_wait_seconds_bucket{route="/a",le="0.1"}"#,
                    "0+100x60",
                ),
                (
                    r#"blocking_queue_wait_seconds_bucket{route="/a",le="+Inf"}"#,
                    "0+100x60",
                ),
            ],
            "20m",
            &[],
        ),
        case(
            stuck,
            "a probe has waited 10 min",
            &[(age, "600x60")],
            "10m",
            &[("critical", MAIN, "10m 0s")],
        ),
        case(
            stuck,
            "the probe has waited 5 s",
            &[(age, "5x60")],
            "10m",
            &[],
        ),
    ]
}
