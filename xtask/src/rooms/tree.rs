//! The names in a crate's modules: what each defines, imports and mentions.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::collector;

/// The segments of a module's path; empty for the crate's root.
pub type ModulePath = Vec<String>;

/// The production modules of a crate, without code that is compiled only for tests.
#[derive(Default)]
pub struct Tree {
    pub modules: BTreeMap<ModulePath, Module>,
    /// What each file refers to.
    pub files: BTreeMap<PathBuf, File>,
}

/// One module. It has several files where `cfg` chooses between them.
#[derive(Default)]
pub struct Module {
    pub files: BTreeSet<PathBuf>,
    pub children: BTreeSet<String>,
    pub items: BTreeSet<String>,
    pub imports: Vec<Import>,
}

#[derive(Clone)]
pub struct Import {
    /// The name in the importing module; `None` for a glob.
    pub name: Option<String>,
    pub path: Vec<String>,
}

pub struct File {
    /// The paths it mentions, including imports, each with the module that mentions it.
    pub mentions: BTreeSet<(ModulePath, Vec<String>)>,
}

impl Tree {
    /// Reads the crate whose root is `lib.rs`. `read` returns the content of a file.
    pub fn read(read: &dyn Fn(&Path) -> Option<String>) -> crate::Result<Self> {
        let mut tree = Self::default();
        tree.add_file(read, Path::new("lib.rs"), Path::new(""), Vec::new())?;
        Ok(tree)
    }

    /// `directory` has the files of the module's children.
    fn add_file(
        &mut self,
        read: &dyn Fn(&Path) -> Option<String>,
        file: &Path,
        directory: &Path,
        module: ModulePath,
    ) -> crate::Result<()> {
        let source = read(file).ok_or_else(|| format!("{}: cannot be read", file.display()))?;
        let syntax =
            syn::parse_file(&source).map_err(|error| format!("{}: {error}", file.display()))?;
        for (module, path) in collector::collect(self, file, module, &syntax) {
            let name = module.last().cloned().unwrap_or_default();
            let candidates = match path {
                Some(path) => vec![file.parent().unwrap_or(Path::new("")).join(path)],
                None => vec![
                    directory.join(format!("{name}.rs")),
                    directory.join(&name).join("mod.rs"),
                ],
            };
            let found = candidates.iter().find(|path| read(path).is_some());
            let found =
                found.ok_or_else(|| format!("{}: no file for `mod {name}`", file.display()))?;
            let inner = match found.file_name() {
                Some(file) if file == "mod.rs" => {
                    found.parent().unwrap_or(Path::new("")).to_owned()
                }
                _ => directory.join(&name),
            };
            self.add_file(read, found, &inner, module)?;
        }
        Ok(())
    }
}
