use std::io;
use std::marker::PhantomData;

/// Proof that the calling thread has just started and has opened no descriptor yet. Only
/// [`spawn`] makes one, and it cannot be sent to another thread.
pub(crate) struct FreshThread(PhantomData<*const ()>);

/// Starts a detached thread. Its name is at most 15 bytes long, as the kernel keeps them.
///
/// # Errors
///
/// If the operating system refuses a thread.
pub(crate) fn spawn(
    name: &'static str,
    run: impl FnOnce(FreshThread) + Send + 'static,
) -> io::Result<()> {
    debug_assert!(name.len() < 16, "the kernel would cut {name}");
    let thread = std::thread::Builder::new().name(name.into());
    thread.spawn(move || run(FreshThread(PhantomData)))?;
    Ok(())
}
