//! Collects what one file defines, imports and mentions.

use std::collections::BTreeSet;
use std::path::Path;

use syn::visit::{self, Visit};

use super::items::{attributes, defined, is_for_tests, paths_of};
use super::tree::{File, Import, Module, ModulePath, Tree};

/// Adds a file's names to the tree. Returns the modules that have files of their own,
/// with the path that an attribute gives.
pub fn collect(
    tree: &mut Tree,
    file: &Path,
    module: ModulePath,
    syntax: &syn::File,
) -> Vec<(ModulePath, Option<String>)> {
    let mut collector = Collector {
        tree,
        file,
        module,
        declared: Vec::new(),
    };
    collector.enter();
    visit::visit_file(&mut collector, syntax);
    collector.declared
}

struct Collector<'t> {
    tree: &'t mut Tree,
    file: &'t Path,
    module: ModulePath,
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
            // With a single `cfg_attr` path, the other configuration has the usual file.
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

    // Derives and lints do not name items of this crate.
    fn visit_attribute(&mut self, _: &'ast syn::Attribute) {}

    fn visit_vis_restricted(&mut self, _: &'ast syn::VisRestricted) {}
}

/// Returns the paths of two or more segments in the arguments of a macro.
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
