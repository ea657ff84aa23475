//! Readable names of functions, and which functions are the user's. Pure.

use super::known_crates::is_known;

/// Returns a path as a person would write it, without generics, closures, shims and hashes.
///
/// `<X as Trait>::method` becomes `X::method`. A handler's
/// `<X as axum::handler::Handler<..>>::call` becomes `X`.
pub(super) fn readable(name: &str) -> String {
    let (path, method) = split_qualified(name);
    let mut path = without_generics(&match method {
        Some(Qualified { trait_path, rest }) => {
            if trait_path.starts_with("axum::handler::Handler") && rest == "::call" {
                path.to_owned()
            } else if is_parameter(path) {
                format!("{trait_path}{rest}")
            } else {
                format!("{path}{rest}")
            }
        }
        None => path.to_owned(),
    });
    while let Some((rest, last)) = path.rsplit_once("::") {
        if !is_shim(last) || rest.is_empty() {
            break;
        }
        path.truncate(rest.len());
    }
    path
}

/// Returns whether a readable name has no path before it.
pub(super) fn is_bare(name: &str) -> bool {
    !name.contains("::")
}

/// Returns the crate that defines a function; for `<X as T>::m` the crate of `X`. `None` for a
/// C function.
pub(super) fn defining_crate(name: &str) -> Option<&str> {
    let (path, method) = split_qualified(name);
    let path = match method {
        Some(Qualified { trait_path, .. }) if is_parameter(path) => trait_path,
        _ => path,
    };
    let path = path.trim_start_matches(['<', '&', '*', '(', '[']);
    let path = ["mut ", "const ", "dyn "]
        .iter()
        .fold(path, |path, word| path.strip_prefix(word).unwrap_or(path));
    let (krate, _) = path.split_once("::")?;
    let is_name = krate.chars().all(|c| c.is_alphanumeric() || c == '_');
    (is_name && !krate.is_empty()).then_some(krate)
}

/// Returns whether a function is the service's own, by its name alone.
pub(super) fn is_user(name: &str) -> bool {
    defining_crate(name).is_some_and(|krate| !is_known(krate))
}

/// Returns whether a source file belongs to the service, by its path.
pub(super) fn is_user_file(file: &str) -> bool {
    let foreign = [
        "/rustc/",
        "rustlib/src",
        ".cargo/registry",
        ".cargo/git",
        "/registry/src/",
        "/git/checkouts/",
        "/vendor/",
    ];
    !foreign.iter().any(|part| file.contains(part)) && !file.starts_with("vendor/")
}

/// Returns the first path of the service among a name's generics.
pub(super) fn mentioned_user_path(name: &str) -> Option<String> {
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':' | '{' | '}' | '#');
    name.split(|c: char| !is_word(c))
        .filter(|path| path.contains("::"))
        .find(|path| is_user(path))
        .map(readable)
}

struct Qualified<'n> {
    trait_path: &'n str,
    rest: &'n str,
}

/// Splits `<X as T>rest` and `<X>rest`. Returns any other name unchanged.
fn split_qualified(name: &str) -> (&str, Option<Qualified<'_>>) {
    let Some(inner) = name.strip_prefix('<') else {
        return (name, None);
    };
    let Some(end) = closing(inner) else {
        return (name, None);
    };
    let (inside, rest) = (&inner[..end], &inner[end + 1..]);
    let (path, trait_path) = match top_level_as(inside) {
        Some(at) => (&inside[..at], &inside[at + 4..]),
        None => (inside, inside),
    };
    (path, Some(Qualified { trait_path, rest }))
}

/// Returns where the bracket that was opened before `text` closes. Arrows are not brackets.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 1;
    let mut before = '\0';
    for (at, c) in text.char_indices() {
        match c {
            '<' => depth += 1,
            '>' if before != '-' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
        before = c;
    }
    None
}

fn top_level_as(text: &str) -> Option<usize> {
    let mut depth = 0_i32;
    let mut before = '\0';
    for (at, c) in text.char_indices() {
        match c {
            '<' => depth += 1,
            '>' if before != '-' => depth -= 1,
            ' ' if depth == 0 && text[at..].starts_with(" as ") => return Some(at),
            _ => {}
        }
        before = c;
    }
    None
}

fn without_generics(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let (mut depth, mut before) = (0_u32, '\0');
    for c in path.chars() {
        match c {
            '<' => depth += 1,
            '>' if before != '-' => depth = depth.saturating_sub(1),
            _ if depth == 0 => out.push(c),
            _ => {}
        }
        before = c;
    }
    // `a::<T>::b` has become `a::::b`.
    while out.contains("::::") {
        out = out.replace("::::", "::");
    }
    let trimmed = out.trim_end_matches("::").trim_start_matches("::");
    trimmed.to_owned()
}

fn is_parameter(path: &str) -> bool {
    !path.contains("::") && path.chars().all(|c| c.is_alphanumeric() || c == '_')
}

/// Returns whether a last segment was made by the compiler.
fn is_shim(segment: &str) -> bool {
    let is_hash = segment.len() == 17
        && segment.starts_with('h')
        && segment[1..].chars().all(|c| c.is_ascii_hexdigit());
    is_hash || segment.is_empty() || segment.starts_with('{')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readable_names_omit_what_the_compiler_added() {
        for (name, expected) in [
            (
                "app::routes::get_user::{{closure}}",
                "app::routes::get_user",
            ),
            (
                "app::routes::get_user::{closure#0}",
                "app::routes::get_user",
            ),
            (
                "app::routes::get_user::{async_fn#0}::{closure#1}",
                "app::routes::get_user",
            ),
            ("app::main::{async_block_env#0}", "app::main"),
            (
                "app::users::find::<alloc::string::String>::{closure#0}",
                "app::users::find",
            ),
            ("app::users::find::h0123456789abcdef", "app::users::find"),
            (
                "<app::Token as axum_core::extract::FromRequestParts<S>>::from_request_parts::{{closure}}",
                "app::Token::from_request_parts",
            ),
            (
                "<app::get as axum::handler::Handler<((),), ()>>::call",
                "app::get",
            ),
            ("<F as axum::handler::Handler<(M,T1),S>>::call", "F"),
            (
                "<F as core::future::Future>::poll",
                "core::future::Future::poll",
            ),
            ("<app::Repo>::load", "app::Repo::load"),
            (
                "<alloc::vec::Vec<T> as core::ops::Drop>::drop",
                "alloc::vec::Vec::drop",
            ),
            ("<fn(u8) -> app::X as app::T>::go", "fn(u8) -> app::X::go"),
            ("getaddrinfo", "getaddrinfo"),
            ("{async_fn#0}", "{async_fn#0}"),
        ] {
            assert_eq!(readable(name), expected, "{name}");
        }
    }

    #[test]
    fn a_function_belongs_to_the_crate_that_defines_it() {
        for (name, expected) in [
            ("app::routes::get_user", Some("app")),
            (
                "<app::Token as axum_core::extract::FromRequestParts<S>>::from",
                Some("app"),
            ),
            (
                "<F as axum::handler::Handler<(app::X,)>>::call",
                Some("axum"),
            ),
            (
                "<&mut app::Body as http_body::Body>::poll_frame",
                Some("app"),
            ),
            ("nanosleep", None),
        ] {
            assert_eq!(defining_crate(name), expected, "{name}");
        }
        assert!(is_user("app::get") && !is_user("tokio::time::sleep") && !is_user("poll"));
    }

    #[test]
    fn a_user_path_is_found_among_generics() {
        let name = "<tower::util::MapRequest<axum::Router, app::main::{closure#2}> as tower_service::Service<()>>::call";
        assert_eq!(mentioned_user_path(name).as_deref(), Some("app::main"));
        assert_eq!(
            mentioned_user_path("<F as axum::handler::Handler<T>>::call"),
            None
        );
    }

    #[test]
    fn files_of_dependencies_are_not_the_services_own() {
        for yes in ["src/main.rs", "/app/src/a.rs", "/home/x/work/vendored.rs"] {
            assert!(is_user_file(yes), "{yes}");
        }
        for no in [
            "/rustc/59807616e/library/std/src/thread.rs",
            "/root/.cargo/registry/src/index/axum-0.8/src/lib.rs",
            "/usr/local/cargo/registry/src/index/x/src/lib.rs",
            "/app/vendor/x/src/lib.rs",
            "vendor/x/src/lib.rs",
        ] {
            assert!(!is_user_file(no), "{no}");
        }
    }

    #[test]
    fn malformed_names_never_panic() {
        for name in [
            "<",
            "<<>",
            ">",
            "<a as",
            "<a as >",
            "::",
            "<é as ü>::ß",
            "h",
            "a::<",
        ] {
            readable(name);
            defining_crate(name);
            mentioned_user_path(name);
        }
    }
}
