//! The command `compare`.

mod support;

#[test]
fn a_hundred_requests_take_three_rounds_on_the_pool_and_one_awaited() {
    let output = support::command()
        .args(["compare", "--work", "0.5"])
        .env_remove("DATABASE_URL")
        .env_remove("REDIS_URL")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    print!("{text}");
    assert!(output.status.success());
    let (pool, awaited) = text.split_once("with an async client").unwrap();
    let steps = |text: &str| -> Vec<(u64, f64)> {
        let steps = text
            .lines()
            .filter_map(|line| line.split_once(" had ended after "));
        let number = |text: &str| text.trim().trim_end_matches(" s").parse::<f64>().unwrap();
        steps
            .map(|(ended, after)| (number(ended) as u64, number(after)))
            .collect()
    };
    let ended: Vec<_> = steps(pool).iter().map(|(ended, _)| *ended).collect();
    assert_eq!(ended, [40, 80, 100], "{text}");
    let wall = |text: &str| -> f64 {
        let (_, wall) = text.split_once("wall time of all: ").unwrap();
        wall.split(' ').next().unwrap().parse().unwrap()
    };
    // Three rounds against one, with room for a busy machine.
    assert!(wall(pool) > 2.0 * wall(awaited), "{text}");
    assert!(wall(pool) >= 1.5, "{text}");
}
