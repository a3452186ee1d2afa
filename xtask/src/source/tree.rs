//! The module tree of a crate, without its test code.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use syn::{Item, ItemMod};

use super::test_code::{is_test_only, item_attributes};

/// All product modules that belong to one root file. The first is the root itself.
pub(crate) struct Tree {
    /// The modules; parents come before their children.
    pub(crate) modules: Vec<Module>,
}

/// A module: a file, a folder with `mod.rs`, or a `mod name { .. }`.
pub(crate) struct Module {
    /// The names from the root to this module; empty for the root.
    pub(crate) path: Vec<String>,
    /// The file that holds it.
    pub(crate) file: PathBuf,
    /// The index of the parent; `None` for the root.
    pub(crate) parent: Option<usize>,
    /// The index of each child, by name.
    pub(crate) children: BTreeMap<String, usize>,
    /// Its product items, child modules aside.
    pub(crate) items: Vec<Item>,
}

impl Tree {
    /// Reads the tree that starts at `root`.
    ///
    /// # Errors
    ///
    /// If a file is missing, cannot be read or is not Rust.
    pub(crate) fn read(root: &Path) -> Result<Self> {
        let mut tree = Self { modules: Vec::new() };
        let dir = root.parent().unwrap_or(Path::new("")).to_owned();
        tree.add(None, Vec::new(), root, &dir, parse(root)?.items)?;
        Ok(tree)
    }

    /// Whether `ancestor` is `module` or one of its parents.
    pub(crate) fn is_within(&self, module: usize, ancestor: usize) -> bool {
        self.modules[module].path.starts_with(&self.modules[ancestor].path)
    }

    /// Adds a module and, below `dir`, its children.
    fn add(
        &mut self,
        parent: Option<usize>,
        path: Vec<String>,
        file: &Path,
        dir: &Path,
        items: Vec<Item>,
    ) -> Result<usize> {
        let this = self.modules.len();
        let module = Module { path, file: file.to_owned(), parent, children: BTreeMap::new(), items: Vec::new() };
        self.modules.push(module);
        for item in items {
            match item {
                _ if is_test_only(item_attributes(&item)) => {}
                Item::Mod(child) if matches!(child.ident.to_string().as_str(), "tests" | "testing") => {}
                Item::Mod(child) => self.add_child(this, child, file, dir)?,
                item => self.modules[this].items.push(item),
            }
        }
        Ok(this)
    }

    fn add_child(&mut self, parent: usize, module: ItemMod, file: &Path, dir: &Path) -> Result<()> {
        let name = module.ident.to_string();
        let mut path = self.modules[parent].path.clone();
        path.push(name.clone());
        let (file, items) = if let Some((_, items)) = module.content {
            (file.to_owned(), items)
        } else {
            let found = [dir.join(format!("{name}.rs")), dir.join(&name).join("mod.rs")];
            let Some(found) = found.into_iter().find(|file| file.is_file()) else {
                bail!("{}: no file for `mod {name};` in {}", file.display(), dir.display());
            };
            let items = parse(&found)?.items;
            (found, items)
        };
        let child = self.add(Some(parent), path, &file, &dir.join(&name), items)?;
        self.modules[parent].children.insert(name, child);
        Ok(())
    }
}

fn parse(file: &Path) -> Result<syn::File> {
    let text = fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    syn::parse_file(&text).with_context(|| format!("parsing {}", file.display()))
}
