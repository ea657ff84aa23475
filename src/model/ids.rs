use std::fmt;
use std::num::NonZeroU64;

use super::{ClosedSet, Method};

/// The index of a route in one instance's table of routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct RouteId(pub(crate) u32);

/// Identifies an observed runtime among those of its instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RuntimeId(pub(crate) NonZeroU64);

/// The route and method that a request is counted under. They are packed into one word,
/// because each poll stores it in the slot.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Series(u32);

impl Series {
    /// The lower bits hold the method; the rest exceeds the limit on routes.
    const METHOD_BITS: u32 = 4;

    #[inline]
    pub(crate) const fn new(route: RouteId, method: Method) -> Self {
        const { assert!(Method::COUNT <= 1 << Self::METHOD_BITS) };
        Self(route.0 << Self::METHOD_BITS | method as u32)
    }

    #[inline]
    pub(crate) const fn route(self) -> RouteId {
        RouteId(self.0 >> Self::METHOD_BITS)
    }

    pub(crate) fn method(self) -> Method {
        // Only `new` packs a method; the default is never reached.
        Method::from_index(self.method_bits() as usize).unwrap_or(Method::Other)
    }

    /// Returns whether this series has the method. Does not unpack it, for the hot path.
    #[inline]
    pub(crate) const fn has_method(self, method: Method) -> bool {
        self.method_bits() == method as u32
    }

    #[inline]
    const fn method_bits(self) -> u32 {
        self.0 & ((1 << Self::METHOD_BITS) - 1)
    }

    /// Returns the packed word, for [`from_bits`](Self::from_bits).
    #[inline]
    pub(crate) const fn to_bits(self) -> u32 {
        self.0
    }

    pub(crate) const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }
}

impl fmt::Debug for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Series")
            .field(&self.route())
            .field(&self.method())
            .finish()
    }
}
