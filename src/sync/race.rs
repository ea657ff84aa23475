use loom::sync::Arc;
use loom::thread;

/// Explores every interleaving of one writer and one reader of `make()`'s value, then
/// calls `after` with what the reader returned.
///
/// Both run in threads of their own: loom 0.7 explores nothing when one of them is the
/// model's main thread and the other's first access is a load.
#[allow(clippy::unwrap_used, reason = "a panic fails the model, as it should")]
pub(crate) fn race<T: Send + Sync + 'static>(
    make: fn() -> T,
    writer: fn(&T),
    reader: fn(&T) -> u64,
    after: fn(&T, u64),
) {
    loom::model(move || {
        let shared = Arc::new(make());
        let (for_writer, for_reader) = (Arc::clone(&shared), Arc::clone(&shared));
        let writing = thread::spawn(move || writer(&for_writer));
        let reading = thread::spawn(move || reader(&for_reader));
        writing.join().unwrap();
        after(&shared, reading.join().unwrap());
    });
}
