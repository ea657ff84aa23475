use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use addr2line::Loader;

use super::names::{is_bare, is_user, is_user_file, mentioned_user_path, readable};
use crate::capture::{Frame, ModuleAddress, Place};

/// A module as the symbolizer needs it.
#[derive(Clone, Debug)]
pub(crate) struct ModuleRef {
    pub(crate) path: Arc<str>,
    pub(crate) is_executable: bool,
    pub(crate) bias: u64,
    /// The module's first bytes in memory.
    pub(crate) head: Arc<[u8]>,
}

/// A frame, and its function's demangled name in full.
#[derive(Clone, Debug)]
pub(crate) struct Expanded {
    pub(crate) frame: Frame,
    raw: Option<Arc<str>>,
}

/// Turns addresses into functions and lines, and caches the results.
///
/// The executable is read through `/proc/self/exe`, which refers to the running file even after
/// it was replaced. Links to separate debug files are not followed, because those of a C
/// library cost tens of megabytes.
#[derive(Default)]
pub(crate) struct Symbolizer {
    loaders: HashMap<Arc<str>, Option<Loader>>,
    known: HashMap<u64, Arc<[Expanded]>>,
}

/// How many addresses are cached. Each takes about 0.5 KiB.
const MAX_KNOWN: usize = 4096;

impl Symbolizer {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Returns whether an address is cached.
    pub(crate) fn knows(&self, code: u64) -> bool {
        self.known.contains_key(&code)
    }

    /// Returns all functions at one address, the innermost inlined one first.
    pub(crate) fn expand(&mut self, module: &ModuleRef, code: u64) -> Arc<[Expanded]> {
        if let Some(known) = self.known.get(&code) {
            return Arc::clone(known);
        }
        let loader = self.load(module);
        let offset = code.wrapping_sub(module.bias);
        let frames: Arc<[_]> = read(loader, module, offset).into();
        if self.known.len() >= MAX_KNOWN {
            self.known.clear();
        }
        self.known.insert(code, Arc::clone(&frames));
        frames
    }

    /// Returns the function that an address is in, without inlined functions. Fast.
    pub(crate) fn symbol(&mut self, module: &ModuleRef, code: u64) -> Option<String> {
        let offset = code.wrapping_sub(module.bias);
        let symbol = self.load(module)?.find_symbol(offset)?;
        Some(readable(&demangle(symbol)))
    }

    /// Opens a module's symbols, unless they are open.
    pub(crate) fn load(&mut self, module: &ModuleRef) -> Option<&Loader> {
        self.loaders
            .entry(Arc::clone(&module.path))
            .or_insert_with(|| open(module))
            .as_ref()
    }

    /// Forgets a module that was unloaded. Another may be loaded at its addresses.
    pub(crate) fn forget(&mut self, module: &ModuleRef) {
        self.loaders.remove(&module.path);
        self.known.clear();
    }
}

fn open(module: &ModuleRef) -> Option<Loader> {
    if module.is_executable {
        Loader::new("/proc/self/exe").ok()
    } else if module.path.starts_with('/') && is_mapped_file(Path::new(&*module.path), &module.head)
    {
        Loader::new(Path::new(&*module.path)).ok()
    } else {
        None
    }
}

/// Returns whether a file is the one that is mapped, not one that has replaced it since.
fn is_mapped_file(file: &Path, head: &[u8]) -> bool {
    let mut begin = Vec::new();
    let length = head.len() as u64;
    let read = File::open(file).and_then(|file| file.take(length).read_to_end(&mut begin));
    // After the end of a short file, the page in memory is filled with zeros.
    read.is_ok() && head.starts_with(&begin) && !begin.is_empty()
}

fn read(loader: Option<&Loader>, module: &ModuleRef, offset: u64) -> Vec<Expanded> {
    let file_name: Arc<str> = file_name(&module.path).into();
    let expanded = |name: Option<String>, file: Option<&str>, line: Option<u32>| {
        let readable = name
            .as_deref()
            .map(readable)
            .filter(|name| !name.is_empty());
        let own = name.as_deref().is_some_and(|name| {
            name.starts_with("tower_runtime_health::")
                || name.starts_with("<tower_runtime_health::")
        });
        let line = line.filter(|line| *line > 0);
        let is_user = match (file, line) {
            (Some(file), Some(_)) => is_user_file(file) && !own,
            _ => name.as_deref().is_some_and(is_user),
        };
        Expanded {
            frame: Frame {
                function: readable.map(Arc::from),
                file: file.map(Arc::from),
                line,
                inlined: true,
                is_user,
                module: Arc::clone(&file_name),
                offset,
            },
            raw: name.map(Arc::from),
        }
    };
    let symbol = loader
        .and_then(|loader| loader.find_symbol(offset))
        .map(demangle);
    let mut frames = Vec::new();
    if let Some(mut found) = loader.and_then(|loader| loader.find_frames(offset).ok()) {
        while let Ok(Some(frame)) = found.next() {
            let name = frame
                .function
                .as_ref()
                .and_then(|function| function.raw_name().ok())
                .map(|name| demangle(&name));
            let location = frame.location.as_ref();
            let (file, line) = (
                location.and_then(|location| location.file),
                location.and_then(|location| location.line),
            );
            frames.push((name, file, line));
        }
    }
    // The outermost function, which is not inlined, takes the name of its symbol.
    match (frames.last_mut(), symbol) {
        (Some(last), Some(symbol)) => last.0 = Some(symbol),
        (None, symbol) => frames.push((symbol, None, None)),
        (Some(_), None) => {}
    }
    let mut frames: Vec<_> = frames
        .into_iter()
        .map(|(name, file, line)| expanded(name, file, line))
        .collect();
    if let Some(last) = frames.last_mut() {
        last.frame.inlined = false;
    }
    frames
}

/// Returns the file name of a path in `/proc/self/maps`, even if the file was deleted.
pub(crate) fn file_name(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or_default();
    name.strip_suffix(" (deleted)").unwrap_or(name)
}

fn demangle(name: &str) -> String {
    addr2line::demangle_auto(name.into(), None).into_owned()
}

/// Returns the user's own place in a stack: its innermost frame that is the user's. Without any
/// symbols it is the innermost address in the executable.
pub(crate) fn place(
    frames: &[Expanded],
    executable: &str,
    build_id: Option<Arc<str>>,
) -> Option<Place> {
    let Some(at) = frames.iter().position(|expanded| expanded.frame.is_user) else {
        return stripped(frames, executable, build_id);
    };
    let found = &frames.get(at)?.frame;
    let function = match found.function.as_deref() {
        // An inlined async function has no full name. The function that encloses it has one.
        Some(name) if is_bare(name) => frames
            .get(at..)?
            .iter()
            .find_map(|outer| {
                let raw = outer.raw.as_deref()?;
                let own = outer
                    .frame
                    .function
                    .as_deref()
                    .filter(|name| !is_bare(name));
                own.filter(|_| outer.frame.is_user)
                    .map(str::to_owned)
                    .or_else(|| mentioned_user_path(raw))
            })
            .map_or_else(|| found.function.clone(), |name| Some(name.into())),
        _ => found.function.clone(),
    };
    Some(Place {
        function,
        file: found.file.clone(),
        line: found.line,
        address: None,
    })
}

fn stripped(frames: &[Expanded], executable: &str, build_id: Option<Arc<str>>) -> Option<Place> {
    let mut own = frames
        .iter()
        .map(|expanded| &expanded.frame)
        .filter(|frame| &*frame.module == executable);
    // If there are symbols, a stack without a function of the user's has no place.
    if own.clone().any(|frame| frame.function.is_some()) {
        return None;
    }
    let frame = own.next()?;
    Some(Place {
        function: None,
        file: None,
        line: None,
        address: Some(ModuleAddress {
            module: Arc::clone(&frame.module),
            offset: frame.offset,
            build_id,
        }),
    })
}
