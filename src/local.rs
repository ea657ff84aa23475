//! What one thread owns of one instance: its slot, its shard, its copy of the
//! route names. The crate's only thread-local data.
//!
//! Found by address of the instance, so that several instances work side by
//! side on one thread; with one, which is usual, the first comparison hits.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::{Arc, Weak};

use crate::instance::Instance;
use crate::recorder::{RouteId, Series, Shard};
use crate::route::RouteCache;
use crate::slot::Slot;

#[derive(Debug)]
pub(crate) struct Local {
    /// Keeps the instance's allocation, so that no other one gets its address.
    instance: Weak<Instance>,
    /// That address, to find this by.
    address: *const Instance,
    pub(crate) slot: Arc<Slot>,
    pub(crate) shard: Arc<Shard>,
    pub(crate) routes: RefCell<RouteCache>,
    /// What this thread is polling for this instance.
    current: Cell<Option<Series>>,
    /// Requests since the last one whose delay was measured.
    unmeasured: Cell<u32>,
    last_measured: Cell<u64>,
}

thread_local! {
    static LOCALS: RefCell<Vec<Rc<Local>>> = const { RefCell::new(Vec::new()) };
}

impl Local {
    /// This thread's part of an instance. `None` while the thread's local data
    /// is being torn down.
    #[inline]
    pub(crate) fn of(instance: &Arc<Instance>) -> Option<Rc<Self>> {
        LOCALS
            .try_with(|locals| {
                let known = locals.try_borrow().ok()?;
                let found = known
                    .iter()
                    .find(|local| std::ptr::eq(local.address, Arc::as_ptr(instance)));
                match found {
                    Some(local) => Some(Rc::clone(local)),
                    None => {
                        drop(known);
                        Self::register(instance, locals)
                    }
                }
            })
            .ok()?
    }

    #[cold]
    fn register(instance: &Arc<Instance>, locals: &RefCell<Vec<Rc<Self>>>) -> Option<Rc<Self>> {
        let name = std::thread::current().name().unwrap_or_default().into();
        let local = Rc::new(Self {
            instance: Arc::downgrade(instance),
            address: Arc::as_ptr(instance),
            slot: Arc::new(Slot::new(name)),
            shard: instance.recorder.register(),
            routes: RefCell::new(RouteCache::default()),
            current: Cell::new(None),
            unmeasured: Cell::new(0),
            last_measured: Cell::new(0),
        });
        instance.slots.join(Arc::clone(&local.slot));
        let dead = {
            let mut locals = locals.try_borrow_mut().ok()?;
            let dead: Vec<_> = locals
                .extract_if(.., |local| local.instance.strong_count() == 0)
                .collect();
            locals.push(Rc::clone(&local));
            dead
        };
        // Outside the borrow: dropping runs `Drop` below.
        drop(dead);
        Some(local)
    }

    /// The instance and route of the poll this thread is in, if it is in one.
    /// With several instances around one handler: of the one that was first
    /// seen on this thread.
    pub(crate) fn current_route() -> Option<(Arc<Instance>, RouteId)> {
        LOCALS
            .try_with(|locals| {
                let locals = locals.try_borrow().ok()?;
                locals.iter().find_map(|local| {
                    let series = local.current.get()?;
                    Some((local.instance.upgrade()?, series.route))
                })
            })
            .ok()?
    }

    /// Whether this thread is already in a poll of this instance: then a layer
    /// further out measures it.
    #[inline]
    pub(crate) fn is_polling(&self) -> bool {
        self.current.get().is_some()
    }

    #[inline]
    pub(crate) fn set_polling(&self, series: Option<Series>) {
        self.current.set(series);
    }

    /// Whether the request that begins now has its wake-to-poll delay measured:
    /// one in `delay_sampling`, and every one while there are few.
    #[inline]
    pub(crate) fn measures_delay(&self, instance: &Instance, now: u64) -> bool {
        if instance.delay_sampling == 0 {
            return false;
        }
        let unmeasured = self.unmeasured.get() + 1;
        let rested = now.saturating_sub(self.last_measured.get()) >= instance.delay_rest;
        let measured = rested || unmeasured >= instance.delay_sampling;
        self.unmeasured.set(if measured { 0 } else { unmeasured });
        if measured {
            self.last_measured.set(now);
        }
        measured
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        if let Some(instance) = self.instance.upgrade() {
            instance.recorder.retire(&self.shard);
            instance.slots.leave(&self.slot);
        }
    }
}
