use std::collections::BTreeMap;

use super::task_snapshot::BusyThread;
use crate::findings::PoolHolder;
use crate::state::State;

/// Groups running wrapped tasks by route and call site, the most threads first.
pub(super) fn holders(busy_threads: &[&BusyThread], now: u64, state: &State) -> Vec<PoolHolder> {
    struct Group {
        tasks: u64,
        /// When the oldest task began, in ticks.
        oldest: u64,
    }

    let mut groups = BTreeMap::new();
    for busy in busy_threads {
        let task = &busy.task;
        let key = (task.route, task.site.file(), task.site.line());
        let group = groups.entry(key).or_insert(Group {
            tasks: 0,
            oldest: u64::MAX,
        });
        group.tasks += 1;
        group.oldest = group.oldest.min(task.start);
    }
    let clock = state.clock();
    let mut holders: Vec<_> = groups
        .into_iter()
        .map(|((route, file, line), group)| PoolHolder {
            route: state.instance.routes.name(route),
            site: format!("{file}:{line}").into(),
            tasks: group.tasks,
            oldest: clock.duration(now.saturating_sub(group.oldest)),
        })
        .collect();
    holders.sort_by(|a, b| b.tasks.cmp(&a.tasks).then(b.oldest.cmp(&a.oldest)));
    holders
}
