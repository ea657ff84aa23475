use crate::sync::{AtomicPtr, Ordering};

/// A reference to something that lives as long as the process, stored by one
/// thread and loaded by others.
///
/// `Relaxed` throughout: the target existed before all threads that read it. If it can
/// change, its owner must synchronize which target a reader sees.
#[derive(Debug)]
pub(crate) struct StaticRef<T: 'static>(AtomicPtr<T>);

impl<T: Sync> StaticRef<T> {
    pub(crate) fn none() -> Self {
        Self(AtomicPtr::new(std::ptr::null_mut()))
    }

    pub(crate) fn store(&self, to: &'static T) {
        self.0
            .store(std::ptr::from_ref(to).cast_mut(), Ordering::Relaxed);
    }

    pub(crate) fn load(&self) -> Option<&'static T> {
        // SAFETY: null, or made from a `&'static T` in `store`, the only writer.
        // It is never written through.
        unsafe { self.0.load(Ordering::Relaxed).as_ref() }
    }
}
