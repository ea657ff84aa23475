use std::cell::RefCell;
use std::sync::{Arc, Weak};

use super::CurrentWork;
use crate::instance::Instance;
use crate::pool_tasks::PoolThreadSlot;

thread_local! {
    /// This thread's slots: one for each instance whose tasks it has run, so nearly
    /// always one.
    static SLOTS: RefCell<Slots> = const { RefCell::new(Slots(Vec::new())) };
}

struct Slots(Vec<(Weak<Instance>, Arc<PoolThreadSlot>)>);

impl Drop for Slots {
    fn drop(&mut self) {
        for (instance, slot) in self.0.drain(..) {
            if let Some(instance) = instance.upgrade() {
                instance.pool_threads.deregister(&slot, false);
            }
        }
    }
}

/// Returns this thread's slot. `None` while its thread-local data is being dropped.
pub(crate) fn pool_thread_slot(instance: &Arc<Instance>) -> Option<Arc<PoolThreadSlot>> {
    let slot = SLOTS.try_with(|slots| {
        let mut slots = slots.try_borrow_mut().ok()?;
        let is_own =
            |(of, _): &&(Weak<Instance>, _)| std::ptr::eq(of.as_ptr(), Arc::as_ptr(instance));
        if let Some((_, slot)) = slots.0.iter().find(is_own) {
            return Some(Arc::clone(slot));
        }
        slots.0.retain(|(of, _)| of.strong_count() > 0);
        let slot = Arc::new(PoolThreadSlot::of_current_thread());
        instance.pool_threads.register(Arc::clone(&slot));
        slots.0.push((Arc::downgrade(instance), Arc::clone(&slot)));
        Some(slot)
    });
    slot.ok()?
}

/// Returns the wrapped pool task that this thread runs: a task that it puts on the pool in
/// turn belongs to the same route.
pub(crate) fn current_task() -> Option<CurrentWork> {
    let found = SLOTS.try_with(|slots| {
        let slots = slots.try_borrow().ok()?;
        slots.0.iter().find_map(|(instance, slot)| {
            let task = slot.read()?;
            Some(CurrentWork {
                instance: instance.upgrade()?,
                route: task.route,
                runtime: slot.runtime(),
            })
        })
    });
    found.ok()?
}
