//! Finds the file that defines what a path names, through re-exports.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::tree::{Module, ModulePath, Tree};

/// The use of an item of one file by another file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arrow {
    pub from: PathBuf,
    pub to: PathBuf,
    /// The rooms of the two files: modules of the crate's root.
    pub from_room: String,
    pub to_room: String,
    /// The name of the used item in the defining module; empty for a module itself.
    pub item: String,
}

/// Where an item is defined.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Definition {
    module: ModulePath,
    item: String,
}

impl Tree {
    /// Returns every use of another file's item. The crate's root is exempt.
    pub fn arrows(&self) -> BTreeSet<Arrow> {
        let mut arrows = BTreeSet::new();
        for (from, file) in &self.files {
            for (module, path) in &file.mentions {
                let Some(found) = self.mentioned(module, path) else {
                    continue;
                };
                let files = self.modules.get(&found.module).map(|module| &module.files);
                for to in files.into_iter().flatten().filter(|to| *to != from) {
                    if let (Some(from_room), Some(to_room)) = (module.first(), found.module.first())
                    {
                        arrows.insert(Arrow {
                            from: from.clone(),
                            to: to.clone(),
                            from_room: from_room.clone(),
                            to_room: to_room.clone(),
                            item: found.item.clone(),
                        });
                    }
                }
            }
        }
        arrows
    }

    /// Resolves a mention. A single segment counts only if it is imported, because
    /// otherwise it may be a variable.
    fn mentioned(&self, module: &ModulePath, path: &[String]) -> Option<Definition> {
        match path {
            [name] => {
                let imports = &self.modules.get(module)?.imports;
                imports
                    .iter()
                    .any(|import| import.name.as_ref() == Some(name))
                    .then_some(())?;
                self.step(module, name, 0)
            }
            _ => self.resolve(module, path, 0),
        }
    }

    fn resolve(&self, from: &ModulePath, path: &[String], depth: usize) -> Option<Definition> {
        let (first, mut rest) = path.split_first()?;
        let mut found = match first.as_str() {
            "crate" => module(Vec::new()),
            "self" => module(from.clone()),
            "super" => {
                let mut up = from.clone();
                up.pop()?;
                while let Some((next, after)) =
                    rest.split_first().filter(|(next, _)| *next == "super")
                {
                    debug_assert_eq!(next, "super");
                    up.pop()?;
                    rest = after;
                }
                module(up)
            }
            name => self.step(from, name, depth)?,
        };
        for name in rest {
            if !found.item.is_empty() {
                break;
            }
            let within = found.module;
            found = self
                .step(&within, name, depth)
                .unwrap_or_else(|| Definition {
                    // A macro defines the item, in the module that the path leads to.
                    module: within,
                    item: name.clone(),
                });
        }
        Some(found)
    }

    /// Resolves one name within a module.
    fn step(&self, within: &ModulePath, name: &str, depth: usize) -> Option<Definition> {
        // Imports can name each other in a cycle.
        if depth > 16 {
            return None;
        }
        let scope: &Module = self.modules.get(within)?;
        if scope.children.contains(name) {
            let mut child = within.clone();
            child.push(name.to_owned());
            return Some(module(child));
        }
        if scope.items.contains(name) {
            return Some(Definition {
                module: within.clone(),
                item: name.to_owned(),
            });
        }
        let named = scope
            .imports
            .iter()
            .filter(|import| import.name.as_deref() == Some(name));
        for import in named {
            if import.path.first().map(String::as_str) == Some(name) && import.path.len() == 1 {
                continue;
            }
            if let Some(found) = self.resolve(within, &import.path, depth + 1) {
                return Some(found);
            }
        }
        let globs = scope.imports.iter().filter(|import| import.name.is_none());
        globs
            .filter_map(|import| self.resolve(within, &import.path, depth + 1))
            .find_map(|target| self.step(&target.module, name, depth + 1))
    }
}

fn module(path: ModulePath) -> Definition {
    Definition {
        module: path,
        item: String::new(),
    }
}
