use std::sync::Arc;

use super::{SeriesRecorder, ThreadState, latest};
use crate::model::Outcome;

/// Operations that may have to switch to the recorder of another thread.
impl SeriesRecorder {
    /// Replaces this with the calling thread's recorder of the same series. Returns
    /// `false` if the thread's local data or the instance has been destroyed.
    #[cold]
    #[inline(never)]
    pub(crate) fn move_here(self: &mut Arc<Self>) -> bool {
        let Some(instance) = self.instance() else {
            return false;
        };
        let Some(thread_state) = ThreadState::of(&instance) else {
            return false;
        };
        latest::set(thread_state.number());
        if thread_state.number() != self.thread {
            *self = thread_state.recorder(&instance, self.series);
        }
        true
    }

    /// Records the end of a request, on any thread.
    #[inline]
    pub(crate) fn request_ended(self: &mut Arc<Self>, outcome: Outcome, ticks: u64) {
        if self.is_here() || self.move_here() {
            self.cells
                .request_ended(&self.poll_config.bounds, outcome, ticks);
        } else {
            let bounds = &self.poll_config.bounds;
            self.record_without_thread(|cells| cells.request_ended(bounds, outcome, ticks));
        }
    }
}
