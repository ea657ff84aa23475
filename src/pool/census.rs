//! Threads of this process by name, as the kernel has it (at most 15 bytes).

use std::collections::HashMap;

/// Names are read once for each thread: 7 µs; a list of threads takes 1 µs for
/// each.
#[derive(Debug, Default)]
pub(super) struct Census {
    /// With how often it was read: one that was just started has its
    /// starter's name for a while.
    names: HashMap<i32, (String, u8)>,
}

impl Census {
    /// Takes in who has come and gone. False where threads cannot be listed.
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
            let name = match self.names.remove(&thread) {
                Some((name, READINGS)) => (name, READINGS),
                Some((_, readings)) => (read_name(thread), readings + 1),
                None => (read_name(thread), 1),
            };
            alive.insert(thread, name);
        }
        self.names = alive;
        true
    }

    #[cfg(all(feature = "capture", target_os = "linux"))]
    pub(super) fn has(&self, thread: i32) -> bool {
        self.names.contains_key(&thread)
    }

    pub(super) fn named(&self, name: &str) -> Vec<i32> {
        let all = self.names.iter();
        let mut found: Vec<_> = all
            .filter(|(_, (is, _))| is == name)
            .map(|(thread, _)| *thread)
            .collect();
        found.sort_unstable();
        found
    }
}

/// A second one, in the next round, is right.
const READINGS: u8 = 2;

fn read_name(thread: i32) -> String {
    let name = std::fs::read_to_string(format!("/proc/self/task/{thread}/comm"));
    let mut name = name.unwrap_or_default();
    name.truncate(name.trim_end_matches('\n').len());
    name
}

/// The kernel's name of the calling thread, as far as its own says.
pub(super) fn own_name() -> Option<String> {
    const LONGEST: usize = 15;
    let thread = std::thread::current();
    let name = thread.name()?;
    let bytes = name.as_bytes();
    let cut = bytes.get(..LONGEST).unwrap_or(bytes);
    Some(String::from_utf8_lossy(cut).into_owned())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn threads_are_found_by_name_while_they_live() {
        let (open, gate) = std::sync::mpsc::channel::<()>();
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("census-of-a-long-name".into())
            .spawn(move || {
                tell.send(own_name()).unwrap();
                let _ = gate.recv();
            })
            .unwrap();
        let name = told.recv().unwrap().unwrap();
        assert_eq!(name, "census-of-a-lon");
        let mut census = Census::default();
        assert!(census.refresh());
        assert_eq!(census.named(&name).len(), 1);
        drop(open);
        thread.join().unwrap();
        assert!(census.refresh());
        assert_eq!(census.named(&name).len(), 0);
    }
}
