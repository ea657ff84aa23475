//! What one thread owns of one instance: its slot, its shard, its copy of the
//! route names. All the thread-local data there is, but for the note that
//! `blocking::seat` keeps of the tasks a pool thread is in.
//!
//! Found by address of the instance, so that several instances work side by
//! side on one thread.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::sync::{Arc, Weak};
use std::thread::AccessError;

use crate::instance::Instance;
use crate::recorder::{RouteId, Shard};
use crate::route::RouteCache;
use crate::slot::{RuntimeId, Slot};

#[derive(Debug)]
pub(crate) struct Local {
    /// Keeps the instance's allocation, so that no other one gets its address.
    instance: Weak<Instance>,
    /// That address, to find this by.
    address: *const Instance,
    pub(crate) slot: Arc<Slot>,
    pub(crate) shard: Arc<Shard>,
    pub(crate) routes: RefCell<RouteCache>,
    /// Requests since the last one whose delay was measured.
    unmeasured: Cell<u32>,
    last_measured: Cell<u64>,
}

thread_local! {
    /// The first instance this thread has met; in nearly every process the
    /// only one. Set once, so that reading it needs no borrow flag.
    static FIRST: OnceCell<Rc<Local>> = const { OnceCell::new() };
    /// Those that came later.
    static OTHERS: RefCell<Vec<Rc<Local>>> = const { RefCell::new(Vec::new()) };
}

impl Local {
    /// This thread's part of an instance. `None` while the thread's local data
    /// is being torn down.
    #[inline]
    pub(crate) fn of(instance: &Arc<Instance>) -> Option<Rc<Self>> {
        match Self::known_first(instance) {
            Ok(Some(local)) => Some(local),
            Ok(None) => Self::of_other(instance),
            Err(_) => None,
        }
    }

    #[inline]
    fn known_first(instance: &Arc<Instance>) -> Result<Option<Rc<Self>>, AccessError> {
        FIRST.try_with(|first| first.get().filter(|local| local.is_of(instance)).cloned())
    }

    #[cold]
    fn of_other(instance: &Arc<Instance>) -> Option<Rc<Self>> {
        if let Some(local) = Self::known_other(instance).ok()? {
            return Some(local);
        }
        let local = Rc::new(Self::register(instance));
        let is_first = FIRST.try_with(|first| first.set(Rc::clone(&local)).is_ok());
        if !is_first.ok()? {
            let forgotten = OTHERS.try_with(|others| {
                let mut others = others.try_borrow_mut().ok()?;
                others.push(Rc::clone(&local));
                let dead = others.extract_if(.., |local| local.instance.strong_count() == 0);
                Some(dead.collect::<Vec<_>>())
            });
            // Outside the borrow: dropping runs `Drop` below.
            drop(forgotten.ok()?);
        }
        Some(local)
    }

    fn known_other(instance: &Arc<Instance>) -> Result<Option<Rc<Self>>, AccessError> {
        OTHERS.try_with(|others| {
            let others = others.try_borrow().ok()?;
            others.iter().find(|local| local.is_of(instance)).cloned()
        })
    }

    fn register(instance: &Arc<Instance>) -> Self {
        let name = std::thread::current().name().unwrap_or_default().into();
        let slot = Arc::new(Slot::new(name, crate::sys::thread_id()));
        instance.slots.join(Arc::clone(&slot));
        Self {
            instance: Arc::downgrade(instance),
            address: Arc::as_ptr(instance),
            slot,
            shard: instance.recorder.register(),
            routes: RefCell::new(RouteCache::default()),
            unmeasured: Cell::new(0),
            last_measured: Cell::new(0),
        }
    }

    fn is_of(&self, instance: &Arc<Instance>) -> bool {
        std::ptr::eq(self.address, Arc::as_ptr(instance))
    }

    /// This thread is a worker of a runtime, which is of interest if it polls
    /// requests as well.
    pub(crate) fn works_for(instance: &Arc<Instance>, runtime: RuntimeId) {
        let known = Self::known_first(instance).and_then(|first| match first {
            Some(local) => Ok(Some(local)),
            None => Self::known_other(instance),
        });
        if let Ok(Some(local)) = known {
            local.slot.set_runtime(runtime);
        }
    }

    /// The instance and route of the poll this thread is in, if it is in one,
    /// and the runtime it works for, if that is known.
    /// With several instances around one handler: of the one that was first
    /// seen on this thread.
    pub(crate) fn current_route() -> Option<(Arc<Instance>, RouteId, Option<RuntimeId>)> {
        let first = FIRST.try_with(|first| first.get().and_then(|local| local.route_polled()));
        first.ok()?.or_else(|| {
            let others = OTHERS.try_with(|others| {
                let others = others.try_borrow().ok()?;
                others.iter().find_map(|local| local.route_polled())
            });
            others.ok()?
        })
    }

    fn route_polled(&self) -> Option<(Arc<Instance>, RouteId, Option<RuntimeId>)> {
        let poll = self.slot.read()?;
        let runtime = self.slot.runtime();
        Some((self.instance.upgrade()?, poll.series.route, runtime))
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
            let unread = self.slot.has_notes();
            instance.slots.leave(&self.slot, unread);
        }
    }
}
