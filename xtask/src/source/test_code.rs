//! Which code is test code: items under `#[cfg(test)]`, `tests.rs`, everything below a `tests/`, and `testing.rs`.

use std::path::Path;

use syn::spanned::Spanned;
use syn::{Attribute, Item};

/// Whether a file, given relative to its crate, holds test code alone.
pub(crate) fn is_test_file(relative: &Path) -> bool {
    relative.components().any(|part| {
        let part = part.as_os_str();
        part == "tests" || part == "tests.rs" || part == "testing" || part == "testing.rs" || part == "it"
    })
}

/// Whether attributes leave an item out of the product: `#[cfg(test)]`, also as one of `all(..)`, and `#[test]`.
pub(crate) fn is_test_only(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        if attribute.path().is_ident("test") {
            return true;
        }
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Meta>().is_ok_and(|condition| needs_test(&condition))
    })
}

fn needs_test(condition: &syn::Meta) -> bool {
    match condition {
        syn::Meta::Path(path) => path.is_ident("test"),
        syn::Meta::List(list) if list.path.is_ident("all") => list
            .parse_args_with(syn::punctuated::Punctuated::<syn::Meta, syn::Token![,]>::parse_terminated)
            .is_ok_and(|all| all.iter().any(needs_test)),
        _ => false,
    }
}

/// The attributes of an item, whatever its kind.
pub(crate) fn item_attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::TraitAlias(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// The number of lines that test-only items take in a file.
pub(crate) fn test_lines(file: &syn::File) -> usize {
    let tests = file.items.iter().filter(|item| is_test_only(item_attributes(item)));
    tests.map(|item| item.span().end().line + 1 - item.span().start().line).sum()
}
