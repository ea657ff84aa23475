//! What the crate logs in this process.

use std::io;
use std::sync::{Mutex, OnceLock};

static LINES: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Writer;

impl io::Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LINES.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Sets the process's log subscriber, once. What is logged before that is lost.
pub(crate) fn collect() {
    static SUBSCRIBER: OnceLock<()> = OnceLock::new();
    SUBSCRIBER.get_or_init(|| {
        tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(|| Writer)
            .init();
    });
}

/// Returns the logged lines that have all these parts.
pub(crate) fn lines(parts: &[&str]) -> Vec<String> {
    let text = String::from_utf8(LINES.lock().unwrap().clone()).unwrap();
    text.lines()
        .filter(|line| parts.iter().all(|part| line.contains(part)))
        .map(str::to_owned)
        .collect()
}
