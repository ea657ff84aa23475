//! Attributes and names of items.

/// Whether an item is compiled only for tests, models or the fuzzer.
pub fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
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

/// Returns the paths given by `#[path]`, also within `cfg_attr`.
pub fn paths_of(attributes: &[syn::Attribute]) -> Vec<String> {
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

/// Returns the attributes of an item.
pub fn attributes(item: &syn::Item) -> &[syn::Attribute] {
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

/// Returns the name that an item defines.
pub fn defined(item: &syn::Item) -> Option<String> {
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
