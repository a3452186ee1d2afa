//! What a module names: its `use` declarations and the paths in its code.

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Item, UseTree};

use crate::source::{is_test_only, item_attributes};

/// One path that a module names.
#[derive(Debug)]
pub(super) struct Import {
    /// The segments as written, such as `["super", "store", "Hold"]`; a glob ends before its `*`.
    pub(super) segments: Vec<String>,
    /// The line of the first segment, or of the `use` that holds it.
    pub(super) line: usize,
    /// How it is named.
    pub(super) kind: Kind,
}

/// How a path is named.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `use a::b;` or `use a::b as name;`, which brings `name` into scope.
    Use(String),
    /// `use a::*;`
    Glob,
    /// A path in code, in a type, a pattern or a macro.
    Path,
}

/// Everything that these items name. `use` declarations of the module come first, then paths in code.
pub(super) fn of(items: &[Item]) -> Vec<Import> {
    let mut imports = Vec::new();
    for item in items {
        if let Item::Use(item) = item {
            flatten(&item.tree, &mut Vec::new(), &mut imports);
        }
    }
    let mut paths = Paths::default();
    for item in items.iter().filter(|item| !matches!(item, Item::Use(_))) {
        paths.visit_item(item);
    }
    imports.extend(paths.found);
    imports
}

/// The names that these items define, imports and child modules aside.
pub(super) fn definitions(items: &[Item]) -> Vec<String> {
    let names = items.iter().filter_map(|item| match item {
        Item::Const(item) => Some(&item.ident),
        Item::Enum(item) => Some(&item.ident),
        Item::Fn(item) => Some(&item.sig.ident),
        Item::Macro(item) => item.ident.as_ref(),
        Item::Static(item) => Some(&item.ident),
        Item::Struct(item) => Some(&item.ident),
        Item::Trait(item) => Some(&item.ident),
        Item::Type(item) => Some(&item.ident),
        Item::Union(item) => Some(&item.ident),
        _ => None,
    });
    names.map(ToString::to_string).collect()
}

/// Turns a tree of a `use` into one import for each name.
fn flatten(tree: &UseTree, before: &mut Vec<String>, found: &mut Vec<Import>) {
    match tree {
        UseTree::Path(path) => {
            before.push(path.ident.to_string());
            flatten(&path.tree, before, found);
            before.pop();
        }
        UseTree::Group(group) => group.items.iter().for_each(|tree| flatten(tree, before, found)),
        UseTree::Glob(glob) => {
            let line = glob.star_token.spans[0].start().line;
            found.push(Import { segments: before.clone(), line, kind: Kind::Glob });
        }
        UseTree::Name(name) => push_name(&name.ident, None, before, found),
        UseTree::Rename(rename) => push_name(&rename.ident, Some(&rename.rename), before, found),
    }
}

fn push_name(name: &syn::Ident, alias: Option<&syn::Ident>, before: &[String], found: &mut Vec<Import>) {
    let mut segments = before.to_vec();
    // `use a::{self}` names `a`.
    if name != "self" || segments.is_empty() {
        segments.push(name.to_string());
    }
    let alias = alias.map(ToString::to_string).or_else(|| segments.last().cloned()).unwrap_or_default();
    found.push(Import { segments, line: name.span().start().line, kind: Kind::Use(alias) });
}

/// Collects the paths in code, and `use` declarations inside functions.
#[derive(Default)]
struct Paths {
    found: Vec<Import>,
}

impl<'a> Visit<'a> for Paths {
    fn visit_item(&mut self, item: &'a Item) {
        if !is_test_only(item_attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, function: &'a syn::ImplItemFn) {
        if !is_test_only(&function.attrs) {
            visit::visit_impl_item_fn(self, function);
        }
    }

    fn visit_item_use(&mut self, item: &'a syn::ItemUse) {
        let mut inside = Vec::new();
        flatten(&item.tree, &mut Vec::new(), &mut inside);
        // Such a name is in scope in one block alone, so it counts as a path.
        self.found.extend(inside.into_iter().map(|import| Import { kind: Kind::Path, ..import }));
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        if path.leading_colon.is_none()
            && let Some(first) = path.segments.first()
        {
            let segments = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            self.found.push(Import { segments, line: first.ident.span().start().line, kind: Kind::Path });
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'a syn::Macro) {
        self.visit_path(&call.path);
        scan(call.tokens.clone(), &mut self.found);
    }
}

/// Finds paths in the tokens of a macro, which no parser understands.
fn scan(tokens: TokenStream, found: &mut Vec<Import>) {
    let mut segments: Vec<String> = Vec::new();
    let mut line = 0;
    let mut colons = 0;
    let mut finish = |segments: &mut Vec<String>, line| {
        if !segments.is_empty() {
            found.push(Import { segments: std::mem::take(segments), line, kind: Kind::Path });
        }
    };
    let mut groups = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Ident(name) => {
                if colons != 2 {
                    finish(&mut segments, line);
                    line = name.span().start().line;
                }
                segments.push(name.to_string());
                colons = 0;
            }
            TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
            other => {
                finish(&mut segments, line);
                colons = 0;
                if let TokenTree::Group(group) = other {
                    groups.push(group.stream());
                }
            }
        }
    }
    finish(&mut segments, line);
    for group in groups {
        scan(group, found);
    }
}
