//! The arrows between sibling modules of a crate: who imports whom, in every folder.
//!
//! A name that an ancestor of the importing module re-exports leads to the module that defines it. Otherwise a circle
//! would hide behind `pub use` in `lib.rs` or `mod.rs`. Two things stay invisible: methods called on a value whose type
//! is not named, and names that a macro puts together.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::imports::{self, Import, Kind};
use crate::source::Tree;

/// How many re-exports are followed; more only occur where two of them name each other.
const MAX_REEXPORTS: usize = 16;

/// The place of an import.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Site {
    pub(super) file: PathBuf,
    pub(super) line: usize,
    /// The path as written.
    pub(super) path: String,
}

/// The modules of one folder and the imports between them.
#[derive(Debug, Default)]
pub(super) struct Folder {
    /// Where each arrow (importing module, imported module) stands in the source.
    pub(super) arrows: BTreeMap<(String, String), BTreeSet<Site>>,
}

/// The names that a module has, and what they stand for.
struct Scope {
    definitions: BTreeSet<String>,
    imports: Vec<Import>,
}

impl Scope {
    fn import(&self, name: &str) -> Option<&Import> {
        self.imports.iter().find(|import| matches!(&import.kind, Kind::Use(alias) if alias == name))
    }

    fn globs(&self) -> impl Iterator<Item = &Import> {
        self.imports.iter().filter(|import| import.kind == Kind::Glob)
    }
}

/// All folders of a tree that have arrows, by their path from the root.
pub(super) fn folders(tree: &Tree) -> BTreeMap<Vec<String>, Folder> {
    let resolver = Resolver::new(tree);
    let mut folders: BTreeMap<Vec<String>, Folder> = BTreeMap::new();
    for (index, module) in tree.modules.iter().enumerate() {
        for import in &resolver.scopes[index].imports {
            let Some(target) = resolver.target(index, import) else { continue };
            let target = &tree.modules[target].path;
            let shared = module.path.iter().zip(target).take_while(|(a, b)| a == b).count();
            let (Some(from), Some(to)) = (module.path.get(shared), target.get(shared)) else { continue };
            let folder = folders.entry(module.path[..shared].to_vec()).or_default();
            let path = import.segments.join("::");
            let site = Site { file: module.file.clone(), line: import.line, path };
            folder.arrows.entry((from.clone(), to.clone())).or_default().insert(site);
        }
    }
    folders
}

/// Finds the module that a path leads to.
struct Resolver<'a> {
    tree: &'a Tree,
    scopes: Vec<Scope>,
}

impl<'a> Resolver<'a> {
    fn new(tree: &'a Tree) -> Self {
        let scopes = tree.modules.iter().map(|module| Scope {
            definitions: imports::definitions(&module.items).into_iter().collect(),
            imports: imports::of(&module.items),
        });
        Self { tree, scopes: scopes.collect() }
    }

    /// The module on which `origin` depends by this import, if it is one of this crate.
    fn target(&self, origin: usize, import: &Import) -> Option<usize> {
        if import.kind == Kind::Path {
            // A name that a `use` brought into scope was counted there, unless it is an ancestor that re-exports.
            let alias = self.scopes[origin].import(import.segments.first()?);
            if let Some(alias) = alias {
                let module = self.resolve(origin, origin, &alias.segments, 0)?;
                if !self.tree.is_within(origin, module) {
                    return None;
                }
            }
        }
        self.resolve(origin, origin, &import.segments, 0)
    }

    /// The last module on the way of `segments`, read in module `from` for module `origin`.
    fn resolve(&self, origin: usize, from: usize, segments: &[String], depth: usize) -> Option<usize> {
        if depth > MAX_REEXPORTS {
            return None;
        }
        let mut module = from;
        let mut rest = segments;
        let mut relative = false;
        while let [segment, after @ ..] = rest {
            match segment.as_str() {
                "crate" => module = 0,
                "self" => {}
                "super" => module = self.tree.modules[module].parent?,
                _ => break,
            }
            relative = true;
            rest = after;
        }
        while let [name, after @ ..] = rest {
            if let Some(&child) = self.tree.modules[module].children.get(name) {
                (module, rest, relative) = (child, after, true);
                continue;
            }
            if self.scopes[module].definitions.contains(name) {
                return Some(module);
            }
            if !self.tree.is_within(origin, module) {
                // Of a module that is no ancestor, its own imports are its own affair.
                return Some(module);
            }
            return match self.follow(origin, module, name, after, depth) {
                // An unknown first name is another crate's or the prelude's.
                None => relative.then_some(module),
                found => found,
            };
        }
        relative.then_some(module)
    }

    /// Follows a name through the imports of an ancestor of `origin`.
    fn follow(&self, origin: usize, module: usize, name: &str, after: &[String], depth: usize) -> Option<usize> {
        let scope = &self.scopes[module];
        if let Some(import) = scope.import(name) {
            let segments = [&import.segments[..], after].concat();
            return self.resolve(origin, module, &segments, depth + 1);
        }
        scope.globs().find_map(|glob| {
            let target = self.resolve(origin, module, &glob.segments, depth + 1)?;
            if target == module || !self.has(target, name) {
                return None;
            }
            let segments = [&["self".to_owned(), name.to_owned()][..], after].concat();
            self.resolve(origin, target, &segments, depth + 1)
        })
    }

    fn has(&self, module: usize, name: &str) -> bool {
        let scope = &self.scopes[module];
        scope.definitions.contains(name)
            || scope.import(name).is_some()
            || self.tree.modules[module].children.contains_key(name)
    }
}
