//! Alerts on workers and the scheduler.

use super::{Case, Labels, MAIN, case};

const BLOCKED: &str = r#"blocking_seconds_total{route="/a",method="GET",cause="sleep"}"#;
const PREEMPTED: &str = r#"blocking_seconds_total{route="/a",method="GET",cause="preempted"}"#;
const WORKERS: &str = r#"workers{runtime="main"}"#;
pub fn executor() -> Vec<Case> {
    let lost = "RuntimeHealthWorkerTimeLost";
    let blocks = "RuntimeHealthRouteBlocks";
    let lag = "RuntimeHealthSchedulerLag";
    let busy = "RuntimeHealthWorkersSaturated";
    let lags = |first, second| {
        [
            (
                r#"scheduler_lag_seconds_bucket{runtime="main",le="0.01"}"#,
                first,
            ),
            (
                r#"scheduler_lag_seconds_bucket{runtime="main",le="0.05"}"#,
                second,
            ),
            (
                r#"scheduler_lag_seconds_bucket{runtime="main",le="0.1"}"#,
                "0+100x60",
            ),
            (
                r#"scheduler_lag_seconds_bucket{runtime="main",le="+Inf"}"#,
                "0+100x60",
            ),
        ]
    };
    let by_sleep: Labels = &[("route", "/a"), ("cause", "sleep")];
    vec![
        case(
            lost,
            "four workers lose 0.3 s per second",
            &[(WORKERS, "4x60"), (BLOCKED, "0+18x60")],
            "20m",
            &[("warning", &[], "7.5%")],
        ),
        case(
            lost,
            "four workers lose 1.2 s per second",
            &[(WORKERS, "4x60"), (BLOCKED, "0+72x60")],
            "20m",
            &[("warning", &[], "30%"), ("critical", &[], "30%")],
        ),
        case(
            lost,
            "the threshold is exceeded for less than the pending period",
            &[(WORKERS, "4x60"), (BLOCKED, "0+18x60")],
            "8m",
            &[],
        ),
        case(
            lost,
            "the machine is short of CPU",
            &[(WORKERS, "4x60"), (PREEMPTED, "0+72x60")],
            "20m",
            &[],
        ),
        case(
            lost,
            "the number of workers is unknown",
            &[(BLOCKED, "0+72x60")],
            "20m",
            &[],
        ),
        case(
            lost,
            "the process restarts",
            &[(WORKERS, "4x60"), (BLOCKED, "0+6x10 0+6x50")],
            "20m",
            &[],
        ),
        case(
            blocks,
            "a route blocks 100 ms per second",
            &[(BLOCKED, "0+6x60")],
            "20m",
            &[("warning", by_sleep, "100ms")],
        ),
        case(
            blocks,
            "a route blocks 5 ms per second",
            &[(BLOCKED, "0+0.3x60")],
            "20m",
            &[],
        ),
        case(
            blocks,
            "the machine is short of CPU",
            &[(PREEMPTED, "0+6x60")],
            "20m",
            &[],
        ),
        case(
            lag,
            "one in ten probes waits up to 100 ms",
            &lags("0+90x60", "0+90x60"),
            "20m",
            &[("warning", MAIN, "95ms")],
        ),
        case(
            lag,
            "all probes wait less than 50 ms",
            &lags("0+90x60", "0+100x60"),
            "20m",
            &[],
        ),
        case(
            lag,
            "one in ten probes waits up to 1 s",
            &[
                (
                    r#"scheduler_lag_seconds_bucket{runtime="main",le="0.5"}"#,
                    "0+90x60",
                ),
                (
                    r#"scheduler_lag_seconds_bucket{runtime="main",le="1"}"#,
                    "0+100x60",
                ),
                (
                    r#"scheduler_lag_seconds_bucket{runtime="main",le="+Inf"}"#,
                    "0+100x60",
                ),
            ],
            "20m",
            &[("warning", MAIN, "950ms"), ("critical", MAIN, "950ms")],
        ),
        case(
            lag,
            "no probe returns",
            &lags("0x60", "0x60")[..2],
            "20m",
            &[],
        ),
        case(
            busy,
            "both workers are busy 57 s per minute",
            &[
                (
                    r#"worker_busy_seconds_total{runtime="main",worker="0"}"#,
                    "0+57x60",
                ),
                (
                    r#"worker_busy_seconds_total{runtime="main",worker="1"}"#,
                    "0+57x60",
                ),
            ],
            "40m",
            &[("warning", MAIN, "95%")],
        ),
        case(
            busy,
            "one of two workers is busy",
            &[
                (
                    r#"worker_busy_seconds_total{runtime="main",worker="0"}"#,
                    "0+60x60",
                ),
                (
                    r#"worker_busy_seconds_total{runtime="main",worker="1"}"#,
                    "0+6x60",
                ),
            ],
            "40m",
            &[],
        ),
    ]
}
