use std::collections::HashMap;

/// The threads of this process, by the names that the kernel has for them.
///
/// Listing takes 1 µs per thread. Reading a name takes 7 µs, which is done twice per thread.
#[derive(Debug, Default)]
pub(super) struct ThreadNames {
    by_thread: HashMap<i32, Name>,
}

#[derive(Debug)]
struct Name {
    name: String,
    /// How often it was read. A new thread has its parent's name for a moment.
    reads: u8,
}

/// The second read, one round later, returns the thread's own name.
const READS: u8 = 2;

impl ThreadNames {
    /// Updates the list. Returns false where threads cannot be listed.
    pub(super) fn refresh(&mut self) -> bool {
        let Ok(entries) = std::fs::read_dir("/proc/self/task") else {
            return false;
        };
        let mut alive = HashMap::new();
        for entry in entries.flatten() {
            let number = entry.file_name();
            let Some(thread) = number.to_str().and_then(|number| number.parse().ok()) else {
                continue;
            };
            let name = match self.by_thread.remove(&thread) {
                Some(known) if known.reads >= READS => known,
                known => Name {
                    name: read_name(thread),
                    reads: known.map_or(1, |known| known.reads + 1),
                },
            };
            alive.insert(thread, name);
        }
        self.by_thread = alive;
        true
    }

    #[cfg(all(feature = "capture", target_os = "linux"))]
    pub(super) fn contains(&self, thread: i32) -> bool {
        self.by_thread.contains_key(&thread)
    }

    /// Returns the threads of this name, in ascending order.
    pub(super) fn named(&self, name: &str) -> Vec<i32> {
        let all = self.by_thread.iter();
        let mut found: Vec<_> = all
            .filter(|(_, known)| known.name == name)
            .map(|(thread, _)| *thread)
            .collect();
        found.sort_unstable();
        found
    }
}

fn read_name(thread: i32) -> String {
    let name = std::fs::read_to_string(format!("/proc/self/task/{thread}/comm"));
    let mut name = name.unwrap_or_default();
    name.truncate(name.trim_end_matches('\n').len());
    name
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::runtime::kernel_thread_name;

    #[test]
    fn threads_are_found_by_name_while_they_live() {
        const NAME: &str = "a-thread-with-a-long-name";
        let (open, gate) = std::sync::mpsc::channel::<()>();
        let (started, is_started) = std::sync::mpsc::channel();
        let thread = std::thread::Builder::new()
            .name(NAME.into())
            .spawn(move || {
                started.send(()).unwrap();
                let _ = gate.recv();
            })
            .unwrap();
        is_started.recv().unwrap();
        let kept = kernel_thread_name(NAME);
        assert_eq!(kept, "a-thread-with-a");
        let mut names = ThreadNames::default();
        assert!(names.refresh());
        assert_eq!(names.named(kept).len(), 1);
        drop(open);
        thread.join().unwrap();
        assert!(names.refresh());
        assert_eq!(names.named(kept).len(), 0);
    }
}
