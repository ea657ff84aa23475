//! The modules of a crate, as far as names go: what each defines, imports and mentions.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};

/// The segments of a module's path; empty for the crate's root.
pub type ModulePath = Vec<String>;

/// The production modules of a crate: what is compiled for tests alone is left out.
#[derive(Default)]
pub struct Tree {
    pub modules: BTreeMap<ModulePath, Module>,
    /// What each file refers to.
    pub files: BTreeMap<PathBuf, File>,
}

/// One module; of several files where `cfg` chooses between them.
#[derive(Default)]
pub struct Module {
    pub files: BTreeSet<PathBuf>,
    pub children: BTreeSet<String>,
    pub items: BTreeSet<String>,
    pub imports: Vec<Import>,
}

#[derive(Clone)]
pub struct Import {
    /// The name it gets here; `None` for a glob.
    pub name: Option<String>,
    pub path: Vec<String>,
}

pub struct File {
    /// Paths it mentions, imports among them, each with the module it stands in.
    pub mentions: BTreeSet<(ModulePath, Vec<String>)>,
}

impl Tree {
    /// Reads the crate whose root is `lib.rs`, with `read` for the file system.
    pub fn read(read: &dyn Fn(&Path) -> Option<String>) -> crate::Result<Self> {
        let mut tree = Self::default();
        tree.add_file(read, Path::new("lib.rs"), Path::new(""), Vec::new())?;
        Ok(tree)
    }

    /// `directory`: where the files of the module's children are.
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
        let mut collector = Collector {
            tree: self,
            file,
            module,
            declared: Vec::new(),
        };
        collector.enter();
        visit::visit_file(&mut collector, &syntax);
        for (module, path) in collector.declared {
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

struct Collector<'t> {
    tree: &'t mut Tree,
    file: &'t Path,
    module: ModulePath,
    /// Modules in files of their own, with the path an attribute gives.
    declared: Vec<(ModulePath, Option<String>)>,
}

impl Collector<'_> {
    fn module(&mut self) -> &mut Module {
        self.tree.modules.entry(self.module.clone()).or_default()
    }

    fn enter(&mut self) {
        let file = self.file.to_owned();
        self.module().files.insert(file);
    }

    fn mention(&mut self, path: Vec<String>) {
        let file = self.tree.files.entry(self.file.to_owned());
        let file = file.or_insert_with(|| File {
            mentions: BTreeSet::new(),
        });
        file.mentions.insert((self.module.clone(), path));
    }

    fn import(&mut self, tree: &syn::UseTree, mut before: Vec<String>, is_reexport: bool) {
        let (name, path) = match tree {
            syn::UseTree::Path(path) => {
                before.push(path.ident.to_string());
                return self.import(&path.tree, before, is_reexport);
            }
            syn::UseTree::Group(group) => {
                for tree in &group.items {
                    self.import(tree, before.clone(), is_reexport);
                }
                return;
            }
            syn::UseTree::Glob(_) => (None, before),
            syn::UseTree::Name(name) => self.named(before, &name.ident, &name.ident),
            syn::UseTree::Rename(rename) => self.named(before, &rename.ident, &rename.rename),
        };
        if !is_reexport {
            self.mention(path.clone());
        }
        self.module().imports.push(Import { name, path });
    }

    fn named(
        &self,
        mut path: Vec<String>,
        ident: &syn::Ident,
        name: &syn::Ident,
    ) -> (Option<String>, Vec<String>) {
        if ident == "self" {
            let own = path.last().cloned();
            let name = if name == "self" {
                own
            } else {
                Some(name.to_string())
            };
            return (name, path);
        }
        path.push(ident.to_string());
        (Some(name.to_string()), path)
    }
}

impl<'ast> Visit<'ast> for Collector<'_> {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if is_for_tests(attributes(item)) {
            return;
        }
        if let Some(name) = defined(item) {
            self.module().items.insert(name);
        }
        visit::visit_item(self, item);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        if !is_for_tests(&function.attrs) {
            visit::visit_impl_item_fn(self, function);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        let name = item.ident.to_string();
        self.module().children.insert(name.clone());
        self.module.push(name);
        if item.content.is_some() {
            self.enter();
            visit::visit_item_mod(self, item);
        } else {
            let paths = paths_of(&item.attrs);
            let own = self.module.clone();
            if paths.is_empty() {
                self.declared.push((own, None));
            } else {
                let paths = paths.into_iter().map(|path| (own.clone(), Some(path)));
                self.declared.extend(paths);
            }
            // A path of `cfg_attr` is one of two.
            if item
                .attrs
                .iter()
                .any(|attr| attr.path().is_ident("cfg_attr"))
                && self
                    .declared
                    .iter()
                    .filter(|(module, _)| *module == self.module)
                    .count()
                    == 1
            {
                self.declared.push((self.module.clone(), None));
            }
        }
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let is_reexport = !matches!(item.vis, syn::Visibility::Inherited);
        self.import(&item.tree, Vec::new(), is_reexport);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.mention(
            path.segments
                .iter()
                .map(|segment| segment.ident.to_string())
                .collect(),
        );
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        self.visit_path(&item.path);
        for path in paths_in(item.tokens.clone()) {
            self.mention(path);
        }
    }

    // Derives and lints name nothing of this crate.
    fn visit_attribute(&mut self, _: &'ast syn::Attribute) {}

    fn visit_vis_restricted(&mut self, _: &'ast syn::VisRestricted) {}
}

/// Paths of two segments or more in the arguments of a macro.
fn paths_in(tokens: proc_macro2::TokenStream) -> Vec<Vec<String>> {
    use proc_macro2::TokenTree;
    let mut found = Vec::new();
    let mut path: Vec<String> = Vec::new();
    let mut colons = 0;
    for token in tokens {
        match token {
            TokenTree::Ident(ident) => {
                if colons != 2 {
                    found.push(std::mem::take(&mut path));
                }
                path.push(ident.to_string());
                colons = 0;
            }
            TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
            other => {
                found.push(std::mem::take(&mut path));
                colons = 0;
                if let TokenTree::Group(group) = other {
                    found.extend(paths_in(group.stream()));
                }
            }
        }
    }
    found.push(path);
    found.retain(|path| path.len() > 1);
    found
}

/// Whether an item is compiled for tests, models or the fuzzer alone.
fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    let of_cfg = |attr: &syn::Attribute| match &attr.meta {
        syn::Meta::List(list) if list.path.is_ident("cfg") => Some(list.tokens.to_string()),
        _ => None,
    };
    attributes.iter().filter_map(of_cfg).any(|condition| {
        let condition = condition.replace(' ', "");
        condition == "test"
            || condition.starts_with("all(test,")
            || condition == "runtime_health_fuzz"
            || condition == "any(test,runtime_health_fuzz)"
    })
}

/// The paths given by `#[path]`, also within `cfg_attr`.
fn paths_of(attributes: &[syn::Attribute]) -> Vec<String> {
    let of = |attr: &syn::Attribute| {
        let text = match &attr.meta {
            syn::Meta::NameValue(pair) if pair.path.is_ident("path") => {
                let value = &pair.value;
                quote::quote!(path = #value).to_string()
            }
            syn::Meta::List(list) if list.path.is_ident("cfg_attr") => list.tokens.to_string(),
            _ => return None,
        };
        let (_, path) = text.rsplit_once("path = \"")?;
        Some(path.split('"').next()?.to_owned())
    };
    attributes.iter().filter_map(of).collect()
}

fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Const(item) => &item.attrs,
        syn::Item::Enum(item) => &item.attrs,
        syn::Item::ExternCrate(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::ForeignMod(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Macro(item) => &item.attrs,
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Static(item) => &item.attrs,
        syn::Item::Struct(item) => &item.attrs,
        syn::Item::Trait(item) => &item.attrs,
        syn::Item::TraitAlias(item) => &item.attrs,
        syn::Item::Type(item) => &item.attrs,
        syn::Item::Union(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn defined(item: &syn::Item) -> Option<String> {
    let ident = match item {
        syn::Item::Const(item) => &item.ident,
        syn::Item::Enum(item) => &item.ident,
        syn::Item::Fn(item) => &item.sig.ident,
        syn::Item::Macro(item) => item.ident.as_ref()?,
        syn::Item::Static(item) => &item.ident,
        syn::Item::Struct(item) => &item.ident,
        syn::Item::Trait(item) => &item.ident,
        syn::Item::Type(item) => &item.ident,
        syn::Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(ident.to_string())
}
