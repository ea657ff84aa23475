use std::fmt;
use std::sync::Arc;

closed_set! {
    /// How certain a stack is.
    #[non_exhaustive]
    pub enum Confidence {
        /// Every frame follows from the unwind tables, and the outermost is the frame that the
        /// thread itself has published as the beginning of its poll.
        Exact = "exact",
        /// The stack reaches that frame, but part of it was found by searching for return
        /// addresses. It names no place.
        Approximate = "approximate",
        /// The stack does not reach that frame. It names no place.
        Incomplete = "incomplete",
    }
}

/// One function of a stack.
///
/// `Display` writes `app::users::get_user (src/users.rs:42)`, or `app+0x1234` without symbols.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Frame {
    /// The function's readable name. `None` without a symbol.
    pub function: Option<Arc<str>>,
    /// The source file, as it was passed to the compiler. `None` without line tables.
    pub file: Option<Arc<str>>,
    /// The line in that file, counted from 1.
    pub line: Option<u32>,
    /// Whether the function is inlined into that of the next frame.
    pub inlined: bool,
    /// Whether the function is the service's own code, not that of a dependency or of the
    /// standard library.
    pub is_user: bool,
    /// The file name of the executable or library.
    pub module: Arc<str>,
    /// The link-time address of the instruction, as `addr2line` takes it.
    pub offset: u64,
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.function {
            Some(function) => f.write_str(function)?,
            None => write!(f, "{}+{:#x}", self.module, self.offset)?,
        }
        match (&self.file, self.line) {
            (Some(file), Some(line)) => write!(f, " ({}:{line})", short(file)),
            _ => Ok(()),
        }
    }
}

/// A line of the service's own code, or what is nearest to it in this build.
///
/// `Display` writes `src/users.rs:42 in app::users::get_user`. Without line tables it writes
/// `app::users::get_user`, and without symbols `app+0x1234 (build id 1f2e…)`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Place {
    /// The function's readable name. `None` in a stripped binary.
    pub function: Option<Arc<str>>,
    /// The source file, as it was passed to the compiler. `None` without line tables.
    pub file: Option<Arc<str>>,
    /// The line in that file, counted from 1.
    pub line: Option<u32>,
    /// The address to look the function up by, if it has no symbol.
    pub address: Option<ModuleAddress>,
}

/// An address in an executable or library, as `addr2line` takes it.
///
/// `Display` writes `app+0x1234 (build id 1f2e…)`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub struct ModuleAddress {
    /// The file name of the executable or library.
    pub module: Arc<str>,
    /// The link-time address in it.
    pub offset: u64,
    /// The file's build id, in hexadecimal, if it has one.
    pub build_id: Option<Arc<str>>,
}

impl fmt::Display for ModuleAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{:#x}", self.module, self.offset)?;
        match &self.build_id {
            Some(build_id) => write!(f, " (build id {build_id})"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let (Some(file), Some(line)) = (&self.file, self.line) {
            write!(f, "{}:{line}", short(file))?;
            if self.function.is_some() {
                f.write_str(" in ")?;
            }
        }
        if let Some(function) = &self.function {
            return f.write_str(function);
        }
        match (&self.file, &self.address) {
            (None, Some(address)) => write!(f, "{address}"),
            _ => Ok(()),
        }
    }
}

/// Removes the directory of the build from a path: the result begins at the crate's `src`,
/// `tests`, `examples` or `benches`.
fn short(file: &str) -> &str {
    if !file.starts_with('/') {
        return file;
    }
    ["/src/", "/tests/", "/examples/", "/benches/"]
        .iter()
        .filter_map(|root| file.rfind(root))
        .max()
        .map_or(file, |at| &file[at + 1..])
}

#[cfg(feature = "serde")]
impl serde::Serialize for Frame {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut out = serializer.serialize_struct("Frame", 7)?;
        out.serialize_field("function", &self.function.as_deref())?;
        out.serialize_field("file", &self.file.as_deref())?;
        out.serialize_field("line", &self.line)?;
        out.serialize_field("inlined", &self.inlined)?;
        out.serialize_field("is_user", &self.is_user)?;
        out.serialize_field("module", &*self.module)?;
        out.serialize_field("offset", &format_args!("{:#x}", self.offset))?;
        out.end()
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Place {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut out = serializer.serialize_struct("Place", 6)?;
        out.serialize_field("function", &self.function.as_deref())?;
        out.serialize_field("file", &self.file.as_deref())?;
        out.serialize_field("line", &self.line)?;
        let address = self.address.as_ref();
        out.serialize_field("module", &address.map(|address| &*address.module))?;
        let offset = address.map(|address| format!("{:#x}", address.offset));
        out.serialize_field("offset", &offset)?;
        let build_id = address.and_then(|address| address.build_id.as_deref());
        out.serialize_field("build_id", &build_id)?;
        out.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_shows_the_most_precise_location_known() {
        let mut place = Place {
            function: Some("app::users::get_user".into()),
            file: Some("/home/me/app/src/users.rs".into()),
            line: Some(42),
            address: None,
        };
        assert_eq!(place.to_string(), "src/users.rs:42 in app::users::get_user");
        place.line = None;
        assert_eq!(place.to_string(), "app::users::get_user");
        let stripped = Place {
            function: None,
            file: None,
            line: None,
            address: Some(ModuleAddress {
                module: "app".into(),
                offset: 0x1234,
                build_id: Some("1f2e".into()),
            }),
        };
        assert_eq!(stripped.to_string(), "app+0x1234 (build id 1f2e)");
    }
}
