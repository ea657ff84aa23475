//! Shared libraries that are loaded, unloaded and replaced while the service runs.
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

/// A loaded library with a function that sleeps for a tenth of a second.
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
        // SAFETY: `build` compiles a function of this type. It is not called after `drop`, see
        // `call`.
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

/// The start and the length of the library that contains a function.
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
    // The watchdog maps the file, too, to read its symbols.
    let below = lines[..at].iter().rev().take_while(is_own);
    let start = below.clone().find(|line| line.2 == 0).unwrap().0;
    let above = lines[at..]
        .iter()
        .take_while(|line| is_own(line) && line.2 > 0);
    (start, above.last().unwrap().1 - start)
}

/// Maps pages, which the kernel places from the top down, until the next one would be the last of
/// this range.
fn fill_above(start: usize, length: usize) {
    const PAGE: usize = 4096;
    for _ in 0..100_000 {
        let (any, private) = (
            std::ptr::null_mut(),
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
        );
        // SAFETY: maps new memory, which is not accessed.
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

/// Serves `/first`, `/again` and `/second`, which call the function that is set.
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
    // SAFETY: it was set from a `Nap`. Its library stays open until the answer to this request was
    // read.
    let nap = unsafe { std::mem::transmute::<*const c_void, Nap>(function) };
    nap(1).to_string()
}

/// Calls a library's function through the service. Asserts that the finding's stack has its name, and
/// that its place is `call`.
#[track_caller]
fn assert_found(
    server: &Server,
    function: &AtomicUsize,
    path: &str,
    library: &Library,
    name: &str,
) {
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
fn functions_of_a_library_loaded_later_are_named_and_so_are_those_of_the_next_at_its_addresses() {
    let directory = Directory::new("library");
    let first = directory.build("libfirst.so", "faults_nap_1");
    let second = directory.build("libsecond.so", "faults_nap_2");
    let (server, function) = serve_naps();
    ready(&server);
    let library = Library::open(&first);
    let name = "faults_nap_1";
    assert_found(&server, &function, "/first", &library, name);
    let was = library.nap(name) as usize;
    let (start, length) = mapped(was);
    drop(library);
    // The next library is loaded at the addresses of the first.
    fill_above(start, length);
    let library = Library::open(&second);
    let at = library.nap("faults_nap_2") as usize;
    if at != was {
        eprintln!("the next library is at {at:#x}, not at {was:#x}");
    }
    let name = "faults_nap_2";
    assert_found(&server, &function, "/second", &library, name);
}

#[test]
fn functions_of_a_library_are_still_named_after_another_is_loaded() {
    let directory = Directory::new("another-library");
    let first = directory.build("libfirst.so", "faults_nap_3");
    let second = directory.build("libsecond.so", "faults_nap_4");
    let (server, function) = serve_naps();
    ready(&server);
    let first = Library::open(&first);
    assert_found(&server, &function, "/first", &first, "faults_nap_3");
    // The watchdog has mapped the file of the first library by now.
    let second = Library::open(&second);
    assert_found(&server, &function, "/second", &second, "faults_nap_4");
    assert_found(&server, &function, "/again", &first, "faults_nap_3");
}

#[test]
fn the_symbols_of_a_library_replaced_on_disk_are_not_used_for_the_loaded_one() {
    let directory = Directory::new("replaced-library");
    let file = directory.build("libnap.so", "faults_old_nap");
    let library = Library::open(&file);
    let (server, function) = serve_naps();
    let next = directory.build("libnext.so", "faults_new_nap");
    function.store(library.nap("faults_old_nap") as usize, Ordering::SeqCst);
    // By then the watchdog has read its list of libraries, but not their symbols.
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
