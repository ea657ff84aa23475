//! Row 17, and other calls that wait for another thread.

use std::sync::mpsc;
use std::sync::{Condvar, Mutex, PoisonError, RwLock};
use std::thread;

use axum::routing::get;
use tokio::sync::oneshot;

use crate::case::{At, BLOCK, Case, Corpus, FINE, Watch, aside, aside_later, real_await};

const LOCK: &[&str] = &["lock"];

pub(crate) fn add(corpus: &mut Corpus) {
    corpus.add(
        Case::blocks("17 Mutex", "/lock/mutex", LOCK, &MUTEX),
        get(mutex),
    );
    corpus.add(
        Case::blocks("17 RwLock", "/lock/rwlock", LOCK, &RWLOCK),
        get(rwlock),
    );
    corpus.add(
        Case::blocks("mpsc::recv", "/lock/recv", LOCK, &RECV),
        get(recv),
    );
    corpus.add(
        Case::blocks("Condvar::wait", "/lock/condvar", LOCK, &CONDVAR),
        get(condvar),
    );
    corpus.add(
        Case::blocks("thread::join", "/lock/join", LOCK, &JOIN),
        get(join),
    );
    corpus.add(
        Case::blocks("thread::park", "/lock/park", LOCK, &PARK),
        get(park),
    );
}

static MUTEX: At = at!("mutex");

async fn mutex() -> String {
    static HELD: Mutex<u32> = Mutex::new(0);
    let (tell, told) = oneshot::channel();
    aside(move || {
        let mut held = HELD.lock().unwrap();
        let _ = tell.send(());
        thread::sleep(BLOCK);
        *held += 1;
    });
    told.await.unwrap();
    let watch = Watch::start();
    let held = here!(MUTEX, HELD.lock().unwrap_or_else(PoisonError::into_inner));
    let result = if *held > 0 { Ok(()) } else { Err("not locked") };
    drop(held);
    watch.end_by_other(result)
}

static RWLOCK: At = at!("rwlock");

async fn rwlock() -> String {
    static HELD: RwLock<u32> = RwLock::new(0);
    let (tell, told) = oneshot::channel();
    aside(move || {
        let mut held = HELD.write().unwrap();
        let _ = tell.send(());
        thread::sleep(BLOCK);
        *held += 1;
    });
    told.await.unwrap();
    let watch = Watch::start();
    let held = here!(RWLOCK, *HELD.read().unwrap());
    watch.end_by_other(if held > 0 { Ok(()) } else { Err("not locked") })
}

static RECV: At = at!("recv");

async fn recv() -> String {
    real_await().await;
    let (sender, receiver) = mpsc::channel();
    aside_later(move || sender.send(()));
    let watch = Watch::start();
    let result = here!(RECV, receiver.recv());
    watch.end_by_other(result)
}

static CONDVAR: At = at!("condvar");

async fn condvar() -> String {
    static STATE: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());
    real_await().await;
    *STATE.0.lock().unwrap() = false;
    aside_later(|| {
        *STATE.0.lock().unwrap() = true;
        STATE.1.notify_all();
    });
    let watch = Watch::start();
    let mut is_over = STATE.0.lock().unwrap();
    while !*is_over {
        is_over = here!(CONDVAR, STATE.1.wait(is_over).unwrap());
    }
    watch.end_by_other(FINE)
}

static JOIN: At = at!("join");

async fn join() -> String {
    real_await().await;
    let thread = aside_later(|| 42);
    let watch = Watch::start();
    let result = here!(JOIN, thread.join());
    watch.end_by_other(match result {
        Ok(42) => Ok(()),
        _ => Err("a panic"),
    })
}

static PARK: At = at!("park");

async fn park() -> String {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    real_await().await;
    let is_over = Arc::new(AtomicBool::new(false));
    let (parked, tell) = (thread::current(), Arc::clone(&is_over));
    aside_later(move || {
        tell.store(true, Ordering::Release);
        parked.unpark();
    });
    let watch = Watch::start();
    while !is_over.load(Ordering::Acquire) {
        here!(PARK, thread::park());
    }
    watch.end_by_other(FINE)
}
