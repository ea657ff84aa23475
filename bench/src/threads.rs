//! CPU time and context switches of this process's threads, from `/proc`.

use std::fs;

/// Pins the calling thread, and the threads it starts, to a core if there is more than
/// one, so that server and client do not take turns on one.
pub fn pin(core: usize) {
    if std::thread::available_parallelism().is_ok_and(|cores| cores.get() > core.max(1)) {
        let mut set = nix::sched::CpuSet::new();
        set.set(core).expect("a core has that number");
        nix::sched::sched_setaffinity(nix::unistd::Pid::from_raw(0), &set)
            .expect("a process may choose its core");
    }
}

/// Returns the directories of the threads whose names have this prefix; ours are
/// `health-…`.
fn named(prefix: &str) -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").expect("Linux");
    tasks
        .filter_map(|task| Some(task.ok()?.path().to_str()?.to_owned()))
        .filter(|task| {
            fs::read_to_string(format!("{task}/comm")).is_ok_and(|name| name.starts_with(prefix))
        })
        .collect()
}

/// Returns the CPU time of those threads so far, in nanoseconds.
pub fn cpu_of(prefix: &str) -> u64 {
    let nanos = |task: &String| {
        let schedule = fs::read_to_string(format!("{task}/schedstat")).ok()?;
        schedule.split(' ').next()?.parse::<u64>().ok()
    };
    named(prefix).iter().filter_map(nanos).sum()
}

/// Returns the context switches of those threads so far.
pub fn switches_of(prefix: &str) -> u64 {
    let switches = |task: &String| {
        let status = fs::read_to_string(format!("{task}/status")).unwrap_or_default();
        let lines = status.lines().filter(|line| line.contains("ctxt_switches"));
        lines
            .filter_map(|line| line.rsplit('\t').next()?.parse::<u64>().ok())
            .sum::<u64>()
    };
    named(prefix).iter().map(switches).sum()
}
