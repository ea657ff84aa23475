use http::Method;

use crate::recorder::{METHODS, MethodId};

/// The values of the label `method`, by [`MethodId`].
const METHOD_NAMES: [&str; METHODS] = [
    "GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "CONNECT", "TRACE", "_OTHER",
];

/// No content follows its answers.
pub(crate) const HEAD: MethodId = MethodId(4);
/// No content follows those of its answers that are a success.
pub(crate) const CONNECT: MethodId = MethodId(7);

/// The value of the label `method` for an id.
pub(crate) fn method_name(id: MethodId) -> &'static str {
    // All ids come from `method_id`; the default is for form.
    METHOD_NAMES
        .get(usize::from(id.0))
        .copied()
        .unwrap_or("_OTHER")
}

/// The id of a method. Methods are case-sensitive (RFC 9110, 9.1): `get` is
/// not `GET`.
#[inline]
pub(crate) fn method_id(method: &Method) -> MethodId {
    MethodId(match *method {
        Method::GET => 0,
        Method::POST => 1,
        Method::PUT => 2,
        Method::DELETE => 3,
        Method::HEAD => 4,
        Method::OPTIONS => 5,
        Method::PATCH => 6,
        Method::CONNECT => 7,
        Method::TRACE => 8,
        _ => 9,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_has_its_own_name_and_the_rest_share_one() {
        for name in &METHOD_NAMES[..9] {
            let method = Method::from_bytes(name.as_bytes()).unwrap();
            assert_eq!(method_name(method_id(&method)), *name);
        }
        for odd in ["get", "PURGE", "X"] {
            let method = Method::from_bytes(odd.as_bytes()).unwrap();
            assert_eq!(method_name(method_id(&method)), "_OTHER");
        }
    }
}
