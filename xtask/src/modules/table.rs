//! `cargo xtask modules --table`: lines of product and test code, per crate and per module of its root.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::source::{Crate, is_test_file, rust_files, test_lines};

/// Lines of Rust, comments and empty lines included.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lines {
    pub(super) product: usize,
    pub(super) test: usize,
}

impl Lines {
    fn add(&mut self, other: Self) {
        self.product += other.product;
        self.test += other.test;
    }
}

/// The table as Markdown.
///
/// # Errors
///
/// If a file cannot be read.
pub(super) fn of(crates: &[Crate]) -> Result<String> {
    let mut text = "| Crate | Module | Product lines | Test lines |\n|---|---|---:|---:|\n".to_owned();
    let mut all = Lines::default();
    for member in crates {
        let modules = modules(&member.dir)?;
        let mut sum = Lines::default();
        for lines in modules.values() {
            sum.add(*lines);
        }
        all.add(sum);
        writeln!(text, "| **{}** | | {} | {} |", member.name, sum.product, sum.test)?;
        for (module, lines) in modules {
            writeln!(text, "| | {module} | {} | {} |", lines.product, lines.test)?;
        }
    }
    writeln!(text, "| **all** | | {} | {} |", all.product, all.test)?;
    Ok(text)
}

/// The lines of each module of a crate's root. Files outside `src` count as the module of their first folder.
pub(super) fn modules(dir: &Path) -> Result<BTreeMap<String, Lines>> {
    let mut modules: BTreeMap<String, Lines> = BTreeMap::new();
    for file in rust_files(dir)? {
        let relative = file.strip_prefix(dir)?;
        let inside = relative.strip_prefix("src").unwrap_or(relative);
        let name = inside.components().next().map(|part| part.as_os_str().to_string_lossy().into_owned());
        let name = name.unwrap_or_default();
        let name = name.strip_suffix(".rs").unwrap_or(&name).to_owned();
        modules.entry(name).or_default().add(count(&file, relative)?);
    }
    Ok(modules)
}

fn count(file: &Path, relative: &Path) -> Result<Lines> {
    let text = fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    let total = text.lines().count();
    let tested = if is_test_file(relative) {
        total
    } else {
        test_lines(&syn::parse_file(&text).with_context(|| format!("parsing {}", file.display()))?)
    };
    Ok(Lines { product: total.saturating_sub(tested), test: tested })
}
