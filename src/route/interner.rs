use std::sync::{Arc, Mutex};

use rustc_hash::FxHashMap;

use crate::model::RouteId;
use crate::sync::{AtomicU64, Ordering, lock};

/// The route of requests that no route matched.
pub(crate) const UNMATCHED: RouteId = RouteId(0);
/// The route of requests beyond the limit on routes.
pub(crate) const OVERFLOW: RouteId = RouteId(1);
/// The route of work that no request caused.
pub(crate) const NONE: RouteId = RouteId(2);

const FIXED: [&str; 3] = ["<unmatched>", "<overflow>", "<none>"];

/// Maps names of routes to small ids, with a hard limit on their number.
///
/// Ids are never freed, because counters refer to them.
#[derive(Debug)]
pub(crate) struct Interner {
    max: usize,
    names: Mutex<Names>,
    /// Counts the names. Stored with `Release` while the lock is held;
    /// partner: the `Acquire` load in [`RouteCache::find`].
    generation: AtomicU64,
}

#[derive(Debug)]
struct Names {
    by_id: Vec<Arc<str>>,
    by_name: FxHashMap<Arc<str>, RouteId>,
}

impl Interner {
    /// Creates an interner for `max` names in addition to the fixed ones.
    pub(crate) fn new(max: usize) -> Self {
        let by_id: Vec<Arc<str>> = FIXED.map(Arc::from).into();
        let by_name = by_id.iter().cloned().zip((0..).map(RouteId)).collect();
        Self {
            max: max + FIXED.len(),
            names: Mutex::new(Names { by_id, by_name }),
            generation: AtomicU64::new(1),
        }
    }

    /// Returns the largest possible number of ids.
    pub(crate) fn capacity(&self) -> usize {
        self.max
    }

    /// Returns the id of a name. Assigns one if the limit allows it, and otherwise
    /// returns [`OVERFLOW`].
    pub(crate) fn intern(&self, name: &str) -> RouteId {
        let mut names = lock(&self.names);
        if let Some(id) = names.by_name.get(name) {
            return *id;
        }
        if names.by_id.len() >= self.max {
            return OVERFLOW;
        }
        let id = RouteId(names.by_id.len() as u32);
        let name: Arc<str> = name.into();
        names.by_id.push(Arc::clone(&name));
        names.by_name.insert(name, id);
        self.generation.fetch_add(1, Ordering::Release);
        id
    }

    /// Returns the name of an id of this instance.
    pub(crate) fn name(&self, id: RouteId) -> Arc<str> {
        let names = lock(&self.names);
        let fallback = &names.by_id[UNMATCHED.0 as usize];
        Arc::clone(names.by_id.get(id.0 as usize).unwrap_or(fallback))
    }

    /// Returns all names, indexed by id.
    pub(crate) fn list(&self) -> Vec<Arc<str>> {
        lock(&self.names).by_id.clone()
    }
}

/// One thread's copy of the names, so that looking one up takes no lock.
///
/// It is renewed after a name was added, so at most once per name.
#[derive(Debug, Default)]
pub(crate) struct RouteCache {
    names: FxHashMap<Arc<str>, RouteId>,
    generation: u64,
}

impl RouteCache {
    /// Returns the id of a name that this thread's copy holds.
    #[inline]
    pub(crate) fn get(&self, name: &str) -> Option<RouteId> {
        self.names.get(name).copied()
    }

    /// Returns the id of a name that any thread has interned.
    pub(crate) fn find(&mut self, interner: &Interner, name: &str) -> Option<RouteId> {
        if let Some(id) = self.get(name) {
            return Some(id);
        }
        if self.generation == interner.generation.load(Ordering::Acquire) {
            return None;
        }
        self.renew(interner);
        self.names.get(name).copied()
    }

    /// Returns the id of a name. Interns the name if it is new.
    pub(crate) fn find_or_intern(&mut self, interner: &Interner, name: &str) -> RouteId {
        match self.find(interner, name) {
            Some(id) => id,
            None if self.is_full(interner) => OVERFLOW,
            None => interner.intern(name),
        }
    }

    /// Returns whether the limit is reached. Takes no lock, so a flood of new names takes
    /// none either.
    pub(crate) fn is_full(&self, interner: &Interner) -> bool {
        self.names.len() >= interner.max
    }

    #[cold]
    fn renew(&mut self, interner: &Interner) {
        let names = lock(&interner.names);
        self.names.clone_from(&names.by_name);
        self.generation = interner.generation.load(Ordering::Acquire);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_ids_and_the_limit_holds() {
        let interner = Interner::new(2);
        let (a, b) = (interner.intern("/a"), interner.intern("/b"));
        assert_ne!(a, b);
        assert_eq!(interner.intern("/a"), a);
        assert_eq!(interner.intern("/c"), OVERFLOW);
        assert_eq!(&*interner.name(b), "/b");
        assert_eq!(&*interner.name(RouteId(99)), "<unmatched>");
        assert_eq!(interner.list().len(), interner.capacity());
    }

    #[test]
    fn a_cache_learns_what_others_interned() {
        let interner = Interner::new(8);
        let mut cache = RouteCache::default();
        assert_eq!(cache.find(&interner, "/a"), None);
        let id = interner.intern("/a");
        assert_eq!(cache.find(&interner, "/a"), Some(id));
        assert_eq!(cache.find_or_intern(&interner, "/b"), interner.intern("/b"));
    }

    #[test]
    fn a_flood_of_names_does_not_exceed_the_limit() {
        let interner = Interner::new(4);
        let mut cache = RouteCache::default();
        for i in 0..10_000 {
            cache.find_or_intern(&interner, &format!("/{i}"));
        }
        assert_eq!(interner.list().len(), 4 + FIXED.len());
        assert_eq!(cache.names.len(), 4 + FIXED.len());
        assert_eq!(cache.find_or_intern(&interner, "/9999"), OVERFLOW);
        assert_eq!(&*interner.name(cache.find_or_intern(&interner, "/0")), "/0");
    }

    #[test]
    fn fixed_names_have_their_ids() {
        let interner = Interner::new(1);
        for (id, name) in [
            (UNMATCHED, "<unmatched>"),
            (OVERFLOW, "<overflow>"),
            (NONE, "<none>"),
        ] {
            assert_eq!(&*interner.name(id), name);
        }
    }
}
