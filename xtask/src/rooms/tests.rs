use super::*;

#[test]
fn the_library_keeps_the_rules_of_its_rooms() {
    let found = violations(&library().unwrap(), FLOORS, PAIRS);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Checks a crate of two rooms: `low` with two files, and `top`.
fn violations_in(files: &[(&str, &str)]) -> Vec<String> {
    let tree = Tree::read(&|path| {
        let found = files.iter().find(|(name, _)| Path::new(name) == path);
        found.map(|(_, source)| (*source).to_owned())
    });
    violations(&tree.unwrap(), &[&["low"], &["top"]], &[])
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
    violations_in(&files)
}

#[test]
fn imports_from_lower_floors_are_accepted() {
    assert_eq!(violations_in(&[ROOT, LOW, TOP, A, B]), [""; 0]);
}

#[test]
fn an_upward_import_is_reported() {
    for upward in [
        "use crate::top::Top; pub(crate) struct A(Top);",
        // Through a re-export of the root.
        "use crate::{low, Top as T}; pub(crate) struct A(T);",
        "use super::super::top::*; pub(crate) struct A(Top);",
        // Without an import.
        "pub(crate) struct A(crate::top::Top);",
        "pub(crate) struct A; fn f() { let _ = vec![crate::top::Top::new()]; }",
        "pub(crate) struct A; fn f() { use crate::top::Top; }",
    ] {
        let found = with(("low/a.rs", upward));
        assert!(
            found[0].contains("`top` is not below `low`"),
            "{upward}: {found:?}"
        );
    }
}

#[test]
fn a_cycle_between_files_is_reported_through_re_exports() {
    let found = with(("low/a.rs", "use super::B; pub(crate) struct A(Box<B>);"));
    assert_eq!(
        found,
        [
            "cycle: low/a.rs uses low/b.rs",
            "cycle: low/b.rs uses low/a.rs"
        ]
    );
}

#[test]
fn code_compiled_only_for_tests_may_use_anything() {
    let source = "pub(crate) struct A; #[cfg(test)] mod tests { use crate::top::Top; }";
    assert_eq!(with(("low/a.rs", source)), [""; 0]);
}

#[test]
fn a_room_without_a_floor_is_reported() {
    let found = violations_in(&[
        ("lib.rs", "mod low; mod top; mod new;"),
        ("low/mod.rs", ""),
        ("top.rs", ""),
        ("new.rs", ""),
    ]);
    assert_eq!(found, ["room `new` has no floor"]);
}
