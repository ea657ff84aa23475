use std::cell::RefCell;
use std::panic::Location;
use std::sync::{Arc, Weak};

use crate::instance::Instance;
use crate::primitive::{Ordering, fence};
use crate::recorder::{MethodId, RouteId, Series};
use crate::slot::{Mark, Phase, RuntimeId, Slot};
use crate::sys::StaticRef;

/// A pool thread that has run a wrapped task of one instance, as the pool's
/// watch sees it: which task it is in.
///
/// The slot's sequence guards the site, too: it changes only while the slot is
/// empty.
#[derive(Debug)]
pub(crate) struct Seat {
    slot: Slot,
    site: StaticRef<Location<'static>>,
}

/// A wrapped task that was running when its seat was read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seated {
    /// Tells this task from all others of its thread.
    pub(crate) sequence: u64,
    /// When it began, in ticks.
    pub(crate) start: u64,
    pub(crate) route: RouteId,
    pub(crate) mark: Mark,
    /// Where it was put on the pool.
    pub(crate) site: &'static Location<'static>,
}

/// A pool task has no method.
const METHOD: MethodId = MethodId(0);

impl Seat {
    /// The kernel's number of the thread; 0 where nothing needs it.
    pub(crate) fn thread_id(&self) -> i32 {
        self.slot.thread_id()
    }

    pub(crate) fn thread(&self) -> &str {
        self.slot.thread()
    }

    /// The observed runtime whose thread this is, if that is known.
    pub(crate) fn runtime(&self) -> Option<RuntimeId> {
        self.slot.runtime()
    }

    /// Whether the thread is still in the task of this sequence.
    pub(crate) fn is_in(&self, sequence: u64) -> bool {
        self.slot.activity() == sequence
    }

    /// The task the thread is in, from any thread.
    pub(crate) fn read(&self) -> Option<Seated> {
        let task = self.slot.read()?;
        let site = self.site.load()?;
        // Orders the load above before that of the sequence. Partner: the fence
        // in `Slot::enter`, which comes before the site is changed again.
        fence(Ordering::Acquire);
        self.is_in(task.sequence).then_some(Seated {
            sequence: task.sequence,
            start: task.start,
            route: task.series.route(),
            mark: task.mark,
            site,
        })
    }

    /// Only the owning thread may call it.
    pub(super) fn enter(
        &self,
        start: u64,
        route: RouteId,
        runtime: Option<RuntimeId>,
        site: &'static Location<'static>,
        mark: Mark,
    ) {
        if let Some(runtime) = runtime {
            self.slot.set_runtime(runtime);
        }
        // A task inside of a task, should there be such a thing.
        self.leave();
        // A reader that sees the new site and then fences sees that the slot
        // was left. Partner: the fence in `read`.
        fence(Ordering::Release);
        self.site.store(site);
        let series = Series::new(route, METHOD);
        self.slot.enter(start, series, Phase::Call, mark);
    }

    /// Only the owning thread may call it.
    pub(super) fn leave(&self) {
        if self.slot.is_entered() {
            self.slot.leave();
        }
    }
}

thread_local! {
    /// This thread's seats: one for each instance whose tasks it has run, in
    /// nearly every process one.
    static SEATS: RefCell<Seats> = const { RefCell::new(Seats(Vec::new())) };
}

struct Seats(Vec<(Weak<Instance>, Arc<Seat>)>);

impl Drop for Seats {
    fn drop(&mut self) {
        for (instance, seat) in self.0.drain(..) {
            if let Some(instance) = instance.upgrade() {
                instance.seats.leave(&seat, false);
            }
        }
    }
}

/// This thread's seat. `None` while its local data is torn down.
pub(super) fn seat_of(instance: &Arc<Instance>) -> Option<Arc<Seat>> {
    let seat = SEATS.try_with(|seats| {
        let mut seats = seats.try_borrow_mut().ok()?;
        let is_own =
            |(of, _): &&(Weak<Instance>, _)| std::ptr::eq(of.as_ptr(), Arc::as_ptr(instance));
        if let Some((_, seat)) = seats.0.iter().find(is_own) {
            return Some(Arc::clone(seat));
        }
        seats.0.retain(|(of, _)| of.strong_count() > 0);
        let name = std::thread::current().name().unwrap_or_default().into();
        let seat = Arc::new(Seat {
            slot: Slot::new(name, crate::sys::thread_id()),
            site: StaticRef::none(),
        });
        instance.seats.join(Arc::clone(&seat));
        seats.0.push((Arc::downgrade(instance), Arc::clone(&seat)));
        Some(seat)
    });
    seat.ok()?
}

/// The wrapped task this thread is in, so that a task it puts on the pool in
/// turn belongs to the same route.
pub(super) fn current() -> Option<(Arc<Instance>, RouteId, Option<RuntimeId>)> {
    let found = SEATS.try_with(|seats| {
        let seats = seats.try_borrow().ok()?;
        seats.0.iter().find_map(|(instance, seat)| {
            let task = seat.read()?;
            Some((instance.upgrade()?, task.route, seat.runtime()))
        })
    });
    found.ok()?
}
