//! Blocks threads until a test lets them continue.

use std::sync::{Arc, Condvar, Mutex};

use crate::support::DEADLINE;

/// Blocks each thread that calls [`wait`](Self::wait) until the gate is opened.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    pub(crate) fn wait(&self) {
        let (open, changed) = &*self.0;
        let open = open.lock().unwrap();
        drop(
            changed
                .wait_timeout_while(open, DEADLINE, |open| !*open)
                .unwrap(),
        );
    }

    pub(crate) fn open(&self) {
        let (open, changed) = &*self.0;
        *open.lock().unwrap() = true;
        changed.notify_all();
    }
}
