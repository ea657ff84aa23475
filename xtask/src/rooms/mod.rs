//! The rooms of the library, and the rules for imports between them:
//! `cargo run -p xtask -- rooms`.
//!
//! A room is a module of the crate's root. It may use rooms on lower floors and, on its own
//! floor, those listed before it, so no arrow can close a cycle. There is no cycle between
//! files either, except for those named in [`PAIRS`]. Code that is compiled only for tests is
//! exempt.
//!
//! | file | what |
//! |---|---|
//! | `tree` | the modules: what each defines, imports and mentions |
//! | `collector`, `items` | how a file's syntax fills the tree |
//! | `resolve` | finds the file that defines what a path names |

mod collector;
mod items;
mod resolve;
#[cfg(test)]
mod tests;
mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use resolve::Arrow;
use tree::Tree;

/// From the lowest floor to the highest. ARCHITECTURE.md has a drawing.
const FLOORS: &[&[&str]] = &[
    &["sync", "sys", "model", "error", "options", "clock"],
    &["slot", "recorder", "route", "pool_tasks"],
    &["runtime", "capture"],
    &["instance", "findings"],
    &["thread_state", "inspect"],
    &["state", "middleware", "blocking"],
    &["offload"],
    &["pool_monitor", "watchdog", "export"],
    &["handle"],
];

/// Rooms that run within a request's poll. They do not read other threads' memory, open
/// files or render text. Of `sys` they use only the items in [`HOT_SYS`].
const HOT: &[&str] = &[
    "slot",
    "recorder",
    "route",
    "pool_tasks",
    "instance",
    "thread_state",
    "middleware",
    "blocking",
];
const HOT_SYS: &[&str] = &["here", "", "counter", "thread_id", "StaticRef"];
const NOT_HOT: &[&str] = &["capture", "export"];

/// Files that may name each other: a type and its builder.
const PAIRS: &[[&str; 2]] = &[["handle/builder.rs", "handle/runtime_health.rs"]];

/// Prints what each room uses, and fails on an arrow that breaks the rules.
pub fn run() -> crate::Result<()> {
    let tree = library()?;
    let mut uses: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let arrows = tree.arrows();
    for arrow in arrows
        .iter()
        .filter(|arrow| arrow.from_room != arrow.to_room)
    {
        let rooms = uses.entry(&arrow.from_room).or_default();
        rooms.insert(&arrow.to_room);
    }
    for (floor, rooms) in FLOORS.iter().enumerate().rev() {
        for room in *rooms {
            let used = uses.get(room).into_iter().flatten().copied();
            println!(
                "{} {room:<13} {}",
                floor + 1,
                used.collect::<Vec<_>>().join(" ")
            );
        }
    }
    let violations = violations(&tree, FLOORS, PAIRS);
    if violations.is_empty() {
        return Ok(());
    }
    Err(format!(
        "imports break the rules of the rooms:\n{}",
        violations.join("\n")
    )
    .into())
}

fn library() -> crate::Result<Tree> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../src");
    Tree::read(&|file| std::fs::read_to_string(source.join(file)).ok())
}

/// Returns one line for each violation.
fn violations(tree: &Tree, floors: &[&[&str]], pairs: &[[&str; 2]]) -> Vec<String> {
    let arrows = tree.arrows();
    let mut found = unknown_rooms(tree, floors);
    found.extend(arrows.iter().filter_map(|arrow| runs_up(arrow, floors)));
    found.extend(arrows.iter().filter_map(leaves_the_hot_path));
    found.extend(cycles(&arrows, pairs));
    found
}

fn unknown_rooms(tree: &Tree, floors: &[&[&str]]) -> Vec<String> {
    let known: BTreeSet<&str> = floors.iter().copied().flatten().copied().collect();
    let present: BTreeSet<&str> = tree
        .modules
        .iter()
        .filter(|(path, module)| path.len() == 1 && !module.files.contains(Path::new("lib.rs")))
        .filter_map(|(path, _)| path.first().map(String::as_str))
        .collect();
    let unplaced = present
        .difference(&known)
        .map(|room| format!("room `{room}` has no floor"));
    let missing = known
        .difference(&present)
        .map(|room| format!("there is no room `{room}`"));
    unplaced.chain(missing).collect()
}

fn runs_up(arrow: &Arrow, floors: &[&[&str]]) -> Option<String> {
    let order: Vec<&str> = floors.iter().copied().flatten().copied().collect();
    let place = |room: &str| order.iter().position(|other| *other == room);
    let (from, to) = (place(&arrow.from_room)?, place(&arrow.to_room)?);
    (from < to).then(|| {
        format!(
            "{} uses `{}` of {}: `{}` is not below `{}`",
            arrow.from.display(),
            arrow.item,
            arrow.to.display(),
            arrow.to_room,
            arrow.from_room
        )
    })
}

fn leaves_the_hot_path(arrow: &Arrow) -> Option<String> {
    let is_hot = HOT.contains(&arrow.from_room.as_str());
    let is_allowed = match arrow.to_room.as_str() {
        "sys" => HOT_SYS.contains(&arrow.item.as_str()),
        room => !NOT_HOT.contains(&room),
    };
    (is_hot && !is_allowed).then(|| {
        format!(
            "{} is on the hot path and uses `{}` of {}",
            arrow.from.display(),
            arrow.item,
            arrow.to.display()
        )
    })
}

/// Finds files that use each other, directly or through other files.
fn cycles(arrows: &BTreeSet<Arrow>, pairs: &[[&str; 2]]) -> Vec<String> {
    let mut uses: BTreeMap<&PathBuf, BTreeSet<&PathBuf>> = BTreeMap::new();
    for arrow in arrows {
        let is_pair = |pair: &[&str; 2]| {
            pair.iter()
                .all(|file| arrow.from == Path::new(file) || arrow.to == Path::new(file))
        };
        if !pairs.iter().any(is_pair) {
            uses.entry(&arrow.from).or_default().insert(&arrow.to);
        }
    }
    uses.iter()
        .flat_map(|(from, to)| to.iter().map(move |to| (from, to)))
        .filter(|(from, to)| reaches(&uses, to, from))
        .map(|(from, to)| format!("cycle: {} uses {}", from.display(), to.display()))
        .collect()
}

fn reaches(uses: &BTreeMap<&PathBuf, BTreeSet<&PathBuf>>, from: &PathBuf, to: &PathBuf) -> bool {
    let mut reached = BTreeSet::from([from]);
    let mut next = vec![from];
    while let Some(file) = next.pop() {
        let used = uses.get(file).into_iter().flatten().copied();
        next.extend(used.filter(|file| reached.insert(file)));
    }
    reached.contains(to)
}
