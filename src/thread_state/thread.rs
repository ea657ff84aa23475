use std::cell::{Cell, OnceCell, RefCell};
use std::hash::Hasher;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::thread::AccessError;

use rustc_hash::FxHasher;

use super::{CurrentWork, SeriesRecorder, latest};
use crate::instance::Instance;
use crate::model::{ClosedSet, Method, RouteId, RuntimeId, Series};
use crate::recorder::Shard;
use crate::route::{RouteCache, is_wildcard};
use crate::slot::Slot;

/// The data of one thread for one instance: its slot, its shard and its copy of the
/// route names.
///
/// It is found by the address of the instance, so several instances can share a thread.
#[derive(Debug)]
pub(crate) struct ThreadState {
    /// Unique in the process, and never used again.
    number: u64,
    /// Keeps the instance's allocation, so that no other instance can get its address.
    instance: Weak<Instance>,
    /// The instance's address, which is the look-up key.
    address: *const Instance,
    pub(crate) slot: Arc<Slot>,
    pub(crate) shard: Arc<Shard>,
    // Both are borrowed only in this module, and never while foreign code runs.
    seen: RefCell<SeenSeries>,
    recent: RefCell<[Option<Arc<SeriesRecorder>>; RECENT]>,
    /// Requests since the last one whose delay was measured.
    unmeasured: Cell<u32>,
    last_measured: Cell<u64>,
}

/// The routes and series that a thread has seen of its instance.
#[derive(Debug, Default)]
struct SeenSeries {
    routes: RouteCache,
    /// Indexed by route.
    recorders: Vec<RecordersByMethod>,
}

/// The number of recently used recorders that a thread caches. Few services have as many
/// routes in constant use. The cache takes 256 bytes per thread.
const RECENT: usize = 32;

/// Returns the cache position of a template's recorder.
#[inline]
fn place(name: &str, method: Method) -> usize {
    let mut hasher = FxHasher::default();
    hasher.write(name.as_bytes());
    (hasher.finish() as usize + method.index()) % RECENT
}

/// The recorders of one route, indexed by method.
type RecordersByMethod = [Option<Arc<SeriesRecorder>>; Method::COUNT];

thread_local! {
    /// The state for the first instance that this thread has seen, which in nearly every
    /// process is the only one. It is set once, so reading it needs no borrow flag.
    static FIRST: OnceCell<Rc<ThreadState>> = const { OnceCell::new() };
    /// The states for all later instances.
    static OTHERS: RefCell<Vec<Rc<ThreadState>>> = const { RefCell::new(Vec::new()) };
}

impl SeenSeries {
    #[inline]
    fn recorder(&self, route: RouteId, method: Method) -> Option<Arc<SeriesRecorder>> {
        let recorders = self.recorders.get(route.0 as usize)?;
        recorders[method.index()].clone()
    }
}

impl ThreadState {
    /// Returns the calling thread's state for an instance. Returns `None` while the
    /// thread's local data is being destroyed.
    #[inline]
    pub(crate) fn of(instance: &Arc<Instance>) -> Option<Rc<Self>> {
        match Self::existing_first(instance) {
            Ok(Some(local)) => Some(local),
            Ok(None) => Self::of_other(instance),
            Err(_) => None,
        }
    }

    #[inline]
    fn existing_first(instance: &Arc<Instance>) -> Result<Option<Rc<Self>>, AccessError> {
        FIRST.try_with(|first| first.get().filter(|local| local.is_of(instance)).cloned())
    }

    #[cold]
    fn of_other(instance: &Arc<Instance>) -> Option<Rc<Self>> {
        if let Some(local) = Self::existing_other(instance).ok()? {
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

    fn existing_other(instance: &Arc<Instance>) -> Result<Option<Rc<Self>>, AccessError> {
        OTHERS.try_with(|others| {
            let others = others.try_borrow().ok()?;
            others.iter().find(|local| local.is_of(instance)).cloned()
        })
    }

    fn register(instance: &Arc<Instance>) -> Self {
        /// Counts the states of the process. It publishes no other data. It is std's atomic,
        /// because loom's cannot be a static.
        static NUMBERS: AtomicU64 = AtomicU64::new(1);

        let name = std::thread::current().name().unwrap_or_default().into();
        let slot = Arc::new(Slot::new(name, crate::sys::thread_id()));
        instance.slots.register(Arc::clone(&slot));
        Self {
            number: NUMBERS.fetch_add(1, Ordering::Relaxed),
            instance: Arc::downgrade(instance),
            address: Arc::as_ptr(instance),
            slot,
            shard: instance.recorder.register(),
            seen: RefCell::default(),
            recent: RefCell::default(),
            unmeasured: Cell::new(0),
            last_measured: Cell::new(0),
        }
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Returns the recorder of a template if it is cached, which is nearly always the
    /// case. This takes a third of the time of a full look-up.
    #[inline]
    pub(crate) fn recent_recorder(
        &self,
        name: &str,
        method: Method,
    ) -> Option<Arc<SeriesRecorder>> {
        let recent = self.recent.borrow();
        let recorder = recent[place(name, method)].as_ref()?;
        let is_same = recorder.series.has_method(method) && *recorder.name == *name;
        is_same.then(|| Arc::clone(recorder))
    }

    /// Returns the recorder of a template.
    pub(crate) fn recorder_named(
        &self,
        instance: &Arc<Instance>,
        name: &str,
        method: Method,
    ) -> Arc<SeriesRecorder> {
        let route = self.route_named(instance, name);
        let recorder = self.recorder(instance, Series::new(route, method));
        // Requests under a wildcard may belong to different routes.
        if !is_wildcard(name) {
            self.recent.borrow_mut()[place(name, method)] = Some(Arc::clone(&recorder));
        }
        recorder
    }

    /// Returns the recorder of a series.
    #[inline]
    pub(crate) fn recorder(&self, instance: &Arc<Instance>, series: Series) -> Arc<SeriesRecorder> {
        let known = self.seen.borrow().recorder(series.route(), series.method());
        known.unwrap_or_else(|| self.new_recorder(instance, series))
    }

    #[cold]
    fn new_recorder(&self, instance: &Arc<Instance>, series: Series) -> Arc<SeriesRecorder> {
        let (route, method) = (series.route().0 as usize, series.method().index());
        let mut known = self.seen.borrow_mut();
        if known.recorders.len() <= route {
            known
                .recorders
                .resize_with(route + 1, RecordersByMethod::default);
        }
        let recorder = known.recorders[route][method]
            .get_or_insert_with(|| Arc::new(self.make_recorder(instance, series)));
        Arc::clone(recorder)
    }

    fn make_recorder(&self, instance: &Arc<Instance>, series: Series) -> SeriesRecorder {
        let cells = self.shard.cells(series);
        SeriesRecorder::new(self.number, Arc::clone(&self.slot), cells, instance, series)
    }

    /// Returns the id of a name. Interns the name if it is new.
    pub(crate) fn route_named(&self, instance: &Instance, name: &str) -> RouteId {
        let mut known = self.seen.borrow_mut();
        known.routes.find_or_intern(&instance.routes, name)
    }

    /// Returns the id of a name that any thread has interned.
    pub(crate) fn known_route(&self, instance: &Instance, name: &str) -> Option<RouteId> {
        self.seen.borrow_mut().routes.find(&instance.routes, name)
    }

    /// Returns whether the limit on routes is reached.
    pub(crate) fn knows_all_routes(&self, instance: &Instance) -> bool {
        self.seen.borrow().routes.is_full(&instance.routes)
    }

    fn is_of(&self, instance: &Arc<Instance>) -> bool {
        std::ptr::eq(self.address, Arc::as_ptr(instance))
    }

    /// Notes that this thread is a worker of a runtime. Has no effect on a thread that has
    /// not polled a request.
    pub(crate) fn set_runtime(instance: &Arc<Instance>, runtime: RuntimeId) {
        let known = Self::existing_first(instance).and_then(|first| match first {
            Some(local) => Ok(Some(local)),
            None => Self::existing_other(instance),
        });
        if let Ok(Some(local)) = known {
            local.slot.set_runtime(runtime);
        }
    }

    /// Returns the instance and route of this thread's current poll, and its runtime if
    /// known. If several instances wrap one handler, the one seen first on this thread
    /// is returned.
    pub(crate) fn current_poll() -> Option<CurrentWork> {
        let first = FIRST.try_with(|first| first.get().and_then(|local| local.polled_work()));
        first.ok()?.or_else(|| {
            let others = OTHERS.try_with(|others| {
                let others = others.try_borrow().ok()?;
                others.iter().find_map(|local| local.polled_work())
            });
            others.ok()?
        })
    }

    fn polled_work(&self) -> Option<CurrentWork> {
        let poll = self.slot.read()?;
        Some(CurrentWork {
            instance: self.instance.upgrade()?,
            route: poll.series.route(),
            runtime: self.slot.runtime(),
        })
    }

    /// Returns whether to measure the wake-to-poll delay of the request that begins now:
    /// one in `delay_sampling`, and every request while they are few.
    #[inline]
    pub(crate) fn measures_delay(&self, instance: &Instance, now: u64) -> bool {
        let Some(one_in) = instance.delay_sampling else {
            return false;
        };
        let unmeasured = self.unmeasured.get() + 1;
        let rested = now.saturating_sub(self.last_measured.get()) >= instance.delay_rest;
        let measured = rested || unmeasured >= one_in;
        self.unmeasured.set(if measured { 0 } else { unmeasured });
        if measured {
            self.last_measured.set(now);
        }
        measured
    }
}

impl Drop for ThreadState {
    fn drop(&mut self) {
        latest::clear(self.number);
        if let Some(instance) = self.instance.upgrade() {
            instance.recorder.retire(&self.shard);
            let unread = self.slot.has_notes();
            instance.slots.deregister(&self.slot, unread);
        }
    }
}
