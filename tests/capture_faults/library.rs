//! Libraries that come and go while the service runs.
#![allow(unsafe_code, reason = "loads and calls libraries")]

use std::ffi::{CString, c_int, c_void};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::routing::get;
use tower_runtime_health::Finding;

use crate::served::{found_in_time, ready, serve};
use crate::support::Server;

/// A library with a function that sleeps for a tenth of a second.
struct Library(*mut c_void);

type Nap = extern "C" fn(c_int) -> c_int;

impl Library {
    fn open(file: &Path) -> Self {
        let file = CString::new(file.to_str().unwrap()).unwrap();
        // SAFETY: a path that ends with 0; what it names initialises nothing.
        let handle = unsafe { libc::dlopen(file.as_ptr(), libc::RTLD_NOW) };
        assert!(!handle.is_null(), "{file:?} is no library");
        Self(handle)
    }

    fn nap(&self, name: &str) -> Nap {
        let name = CString::new(name).unwrap();
        // SAFETY: a library that is open, and a name that ends with 0.
        let function = unsafe { libc::dlsym(self.0, name.as_ptr()) };
        assert!(!function.is_null(), "no {name:?}");
        // SAFETY: what `build` compiles is of this type. Nobody calls it after
        // `drop`, see `call`.
        unsafe { std::mem::transmute::<*mut c_void, Nap>(function) }
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        // SAFETY: open, and closed once.
        let closed = unsafe { libc::dlclose(self.0) };
        assert_eq!(closed, 0);
    }
}

struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("capture-faults-{}-{name}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    /// A library whose only function, `name`, sleeps.
    fn build(&self, file: &str, name: &str) -> PathBuf {
        let (source, library) = (self.0.join(format!("{name}.c")), self.0.join(file));
        let code =
            format!("#include <unistd.h>\nint {name}(int n) {{ usleep(100000); return n + 1; }}\n");
        std::fs::write(&source, code).unwrap();
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O2", "-o"])
            .args([&library, &source])
            .status();
        assert!(built.expect("cc, a C compiler").success());
        library
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Start and length of the library that a function is in.
fn mapped(function: usize) -> (usize, usize) {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let lines = maps.lines().map(|line| {
        let words: Vec<_> = line.split_ascii_whitespace().collect();
        let (start, end) = words[0].split_once('-').unwrap();
        let number = |digits| usize::from_str_radix(digits, 16).unwrap();
        let path = words.get(5).map(|path| path.to_string());
        (number(start), number(end), number(words[2]), path)
    });
    let lines: Vec<_> = lines.collect();
    let at = lines.iter().position(|line| line.1 > function).unwrap();
    let is_own = |line: &&(usize, usize, usize, Option<String>)| line.3 == lines[at].3;
    // Others map the file, too: the watchdog, which reads its symbols.
    let below = lines[..at].iter().rev().take_while(is_own);
    let start = below.clone().find(|line| line.2 == 0).unwrap().0;
    let above = lines[at..]
        .iter()
        .take_while(|line| is_own(line) && line.2 > 0);
    (start, above.last().unwrap().1 - start)
}

/// Takes pages from the top down, as the kernel gives them, until the last one
/// of this range would be next.
fn fill_above(start: usize, length: usize) {
    const PAGE: usize = 4096;
    for _ in 0..100_000 {
        let (any, private) = (
            std::ptr::null_mut(),
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
        );
        // SAFETY: new memory, of which nothing is used.
        let got = unsafe { libc::mmap(any, PAGE, libc::PROT_NONE, private, -1, 0) };
        assert!(got != libc::MAP_FAILED);
        if got as usize == start + length - PAGE {
            // SAFETY: mapped just now.
            let result = unsafe { libc::munmap(got, PAGE) };
            assert_eq!(result, 0);
            return;
        }
    }
}

/// Serves `/{first,second}`, which call whatever function is set.
fn serve_naps() -> (Server, Arc<AtomicUsize>) {
    let function = Arc::new(AtomicUsize::new(0));
    let nap = |function: &Arc<AtomicUsize>| {
        let function = Arc::clone(function);
        get(move || async move { call(&function) })
    };
    let router = Router::new()
        .route("/first", nap(&function))
        .route("/again", nap(&function))
        .route("/second", nap(&function));
    (serve(router), function)
}

fn call(function: &AtomicUsize) -> String {
    let function = function.load(Ordering::SeqCst) as *const c_void;
    assert!(!function.is_null());
    // SAFETY: set from a `Nap` whose library stays open until the answer to
    // this request was read.
    let nap = unsafe { std::mem::transmute::<*const c_void, Nap>(function) };
    nap(1).to_string()
}

/// Calls it through the service. What is found of it has its name, and
/// `call` as its place.
#[track_caller]
fn expect(server: &Server, function: &AtomicUsize, path: &str, library: &Library, name: &str) {
    function.store(library.nap(name) as usize, Ordering::SeqCst);
    let finding = found_in_time(server, path);
    let place = finding.place.clone().unwrap().to_string();
    assert!(place.ends_with("library::call"), "{place}");
    assert_named(&finding, name);
}

#[track_caller]
fn assert_named(finding: &Finding, name: &str) {
    let stack = &finding.stack;
    let names: Vec<_> = stack.iter().map(ToString::to_string).collect();
    assert!(names.iter().any(|found| found == name), "{names:#?}");
}

#[test]
fn a_library_loaded_while_it_runs_is_seen_through_and_so_is_the_next() {
    let directory = Directory::new("library");
    let first = directory.build("libfirst.so", "faults_nap_1");
    let second = directory.build("libsecond.so", "faults_nap_2");
    let (server, function) = serve_naps();
    ready(&server);
    let library = Library::open(&first);
    let name = "faults_nap_1";
    expect(&server, &function, "/first", &library, name);
    let was = library.nap(name) as usize;
    let (start, length) = mapped(was);
    drop(library);
    // The next one comes to the very addresses of the first.
    fill_above(start, length);
    let library = Library::open(&second);
    let at = library.nap("faults_nap_2") as usize;
    if at != was {
        eprintln!("the next library is at {at:#x}, not at {was:#x}");
    }
    let name = "faults_nap_2";
    expect(&server, &function, "/second", &library, name);
}

#[test]
fn a_library_whose_symbols_were_read_is_still_seen_through_when_another_comes() {
    let directory = Directory::new("another-library");
    let first = directory.build("libfirst.so", "faults_nap_3");
    let second = directory.build("libsecond.so", "faults_nap_4");
    let (server, function) = serve_naps();
    ready(&server);
    let first = Library::open(&first);
    expect(&server, &function, "/first", &first, "faults_nap_3");
    // The watchdog has the file of the first mapped now, beside the library.
    let second = Library::open(&second);
    expect(&server, &function, "/second", &second, "faults_nap_4");
    expect(&server, &function, "/again", &first, "faults_nap_3");
}

#[test]
fn a_library_replaced_on_disk_is_not_taken_for_the_one_that_runs() {
    let directory = Directory::new("replaced-library");
    let file = directory.build("libnap.so", "faults_old_nap");
    let library = Library::open(&file);
    let (server, function) = serve_naps();
    let next = directory.build("libnext.so", "faults_new_nap");
    function.store(library.nap("faults_old_nap") as usize, Ordering::SeqCst);
    // The watchdog has read its list of libraries by then, not their symbols.
    ready(&server);
    std::fs::rename(next, &file).unwrap();

    let finding = found_in_time(&server, "/first");
    let names: Vec<_> = finding.stack.iter().map(ToString::to_string).collect();
    assert!(
        names.iter().all(|name| name != "faults_new_nap"),
        "{names:#?}"
    );
    drop(library);
}
