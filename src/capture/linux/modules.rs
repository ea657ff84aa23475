use std::sync::Arc;

use super::maps::{Mapped, parse_maps};
use super::module::{Module, read_module};

/// All modules, as of the last reading of `/proc/self/maps`.
///
/// `dl_iterate_phdr` is not used, because it takes the loader's lock, which the stuck thread may
/// hold.
#[derive(Debug, Default)]
pub(crate) struct Modules {
    list: Vec<Arc<Module>>,
    /// The mappings that the list was made from.
    mapped: Vec<Mapped>,
    /// How often the list has changed.
    generation: u64,
}

impl Modules {
    /// Returns a number that changes with the list.
    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    pub(super) fn executable(&self) -> Option<Arc<Module>> {
        self.list
            .iter()
            .find(|module| module.is_executable)
            .cloned()
    }

    /// Returns the module that an address is in.
    pub(crate) fn find(&self, address: u64) -> Option<Arc<Module>> {
        let found = self.list.iter().find(|module| module.has_code_at(address));
        found.map(Arc::clone)
    }

    /// Updates the list. Returns the modules that were unloaded.
    pub(crate) fn refresh(&mut self) -> Vec<Arc<Module>> {
        let Ok(maps) = std::fs::read_to_string("/proc/self/maps") else {
            return Vec::new();
        };
        let mapped = parse_maps(&maps);
        if mapped == self.mapped {
            return Vec::new();
        }
        let executable = std::fs::read_link("/proc/self/exe").ok();
        let executable = executable.as_deref().and_then(std::path::Path::to_str);
        let mut old = std::mem::take(&mut self.list);
        for object in &mapped {
            let known = self.mapped.contains(object);
            let at = old
                .iter()
                .position(|module| known && module.start == object.start);
            let module = match at {
                Some(at) => Some(old.swap_remove(at)),
                None => read_module(object, executable).map(Arc::new),
            };
            self.list.extend(module);
        }
        self.mapped = mapped;
        self.generation += 1;
        old
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_test_and_its_c_library_are_found_with_their_tables() {
        let mut modules = Modules::default();
        modules.refresh();
        let own = modules.find(parse_maps as *const () as u64).unwrap();
        assert!(own.is_executable && own.unwind().is_some());
        let libc = modules.find(libc::getpid as *const () as u64).unwrap();
        assert!(!libc.is_executable && libc.unwind().is_some());
        assert!(libc.path.contains("libc"));
        assert!(modules.find(8).is_none());
    }
}
