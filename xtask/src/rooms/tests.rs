use super::*;

#[test]
fn the_library_keeps_the_law_of_its_rooms() {
    let broken = broken_laws(&library().unwrap(), FLOORS, PAIRS);
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// Two rooms, `low` of two files and `top`.
fn broken_in(files: &[(&str, &str)]) -> Vec<String> {
    let tree = Tree::read(&|path| {
        let found = files.iter().find(|(name, _)| Path::new(name) == path);
        found.map(|(_, source)| (*source).to_owned())
    });
    broken_laws(&tree.unwrap(), &[&["low"], &["top"]], &[])
}

const ROOT: (&str, &str) = ("lib.rs", "mod low; mod top; pub use top::Top;");
const LOW: (&str, &str) = (
    "low/mod.rs",
    "mod a; mod b; pub(crate) use a::A; pub(crate) use b::B;",
);
const TOP: (&str, &str) = ("top.rs", "use crate::low::A; pub struct Top(A);");
const A: (&str, &str) = ("low/a.rs", "pub(crate) struct A;");
const B: (&str, &str) = ("low/b.rs", "use super::A; pub(crate) struct B(A);");

fn with(changed: (&'static str, &'static str)) -> Vec<String> {
    let mut files = vec![ROOT, LOW, TOP, A, B];
    for file in &mut files {
        if file.0 == changed.0 {
            *file = changed;
        }
    }
    broken_in(&files)
}

#[test]
fn arrows_that_run_down_are_kept() {
    assert_eq!(broken_in(&[ROOT, LOW, TOP, A, B]), [""; 0]);
}

#[test]
fn an_import_that_runs_up_is_found() {
    for upward in [
        "use crate::top::Top; pub(crate) struct A(Top);",
        // Through the root's re-export.
        "use crate::{low, Top as T}; pub(crate) struct A(T);",
        "use super::super::top::*; pub(crate) struct A(Top);",
        // Without an import.
        "pub(crate) struct A(crate::top::Top);",
        "pub(crate) struct A; fn f() { let _ = vec![crate::top::Top::new()]; }",
        "pub(crate) struct A; fn f() { use crate::top::Top; }",
    ] {
        let broken = with(("low/a.rs", upward));
        assert!(
            broken[0].contains("`top` is not below `low`"),
            "{upward}: {broken:?}"
        );
    }
}

#[test]
fn a_cycle_of_files_is_found_through_re_exports() {
    let broken = with(("low/a.rs", "use super::B; pub(crate) struct A(Box<B>);"));
    assert_eq!(
        broken,
        [
            "cycle: low/a.rs uses low/b.rs",
            "cycle: low/b.rs uses low/a.rs"
        ]
    );
}

#[test]
fn what_is_compiled_for_tests_alone_may_use_anything() {
    let source = "pub(crate) struct A; #[cfg(test)] mod tests { use crate::top::Top; }";
    assert_eq!(with(("low/a.rs", source)), [""; 0]);
}

#[test]
fn a_room_without_a_floor_is_found() {
    let broken = broken_in(&[
        ("lib.rs", "mod low; mod top; mod new;"),
        ("low/mod.rs", ""),
        ("top.rs", ""),
        ("new.rs", ""),
    ]);
    assert_eq!(broken, ["room `new` has no floor"]);
}
