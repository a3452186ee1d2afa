//! `cargo xtask modules`: modules of one folder must not import each other in a circle, crates must not depend upward.
//!
//! For every folder (the crate's root and each folder below it) the nodes are its child modules, a file or a folder
//! with everything inside; the arrows are imports between them. A strongly connected component of more than one node is
//! a finding. Test code does not count.

mod arrows;
mod circles;
mod imports;
mod layers;
mod table;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, bail, ensure};
use clap::Args;
use staymesh_devenv::repository;

use crate::source::{Crate, Tree, crates};
use arrows::Folder;
use circles::{Circle, Graph};

/// How many lines are shown for one arrow; the rest are counted.
const MAX_SITES: usize = 3;

/// Flags of `cargo xtask modules`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Only this crate, by the name of its directory
    #[arg(value_name = "CRATE")]
    name: Option<String>,

    /// Print the lines of product and test code of each crate and module instead
    #[arg(long)]
    table: bool,
}

/// Runs the command.
///
/// # Errors
///
/// If there is a circle, or source that cannot be read.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let mut crates = crates(&repository())?;
    if let Some(name) = &options.name {
        let name = name.strip_prefix("staymesh-").unwrap_or(name);
        crates.retain(|member| member.name == name);
        ensure!(!crates.is_empty(), "there is no crate {name}: the names are those of the directories in crates/");
    }
    if options.table {
        print!("{}", table::of(&crates)?);
    } else {
        println!("{}", check(&crates)?);
    }
    Ok(ExitCode::SUCCESS)
}

/// Checks every crate of the workspace. Yields a sentence with the counts.
///
/// # Errors
///
/// If there is a circle, a dependency upward, or source that cannot be read.
pub(crate) fn check_workspace() -> Result<String> {
    check(&crates(&repository())?)
}

/// Checks these crates. Yields a sentence with the counts.
fn check(crates: &[Crate]) -> Result<String> {
    let mut findings = layers::check(crates)?;
    let mut modules = 0;
    for member in crates {
        for root in member.roots() {
            let tree = Tree::read(&root)?;
            modules += tree.modules.len();
            findings.extend(findings_of(&tree, &repository()));
        }
    }
    if !findings.is_empty() {
        bail!("{} findings:\n\n{}", findings.len(), findings.join("\n\n"));
    }
    Ok(format!("{} crates, {modules} modules, no circle and no dependency upward", crates.len()))
}

/// The circles of one module tree, described with paths relative to `base`.
fn findings_of(tree: &Tree, base: &Path) -> Vec<String> {
    let mut findings = Vec::new();
    for (path, folder) in arrows::folders(tree) {
        let graph: Graph = folder.arrows.iter().map(|(arrow, sites)| (arrow.clone(), sites.len())).collect();
        let place = tree.modules.iter().find(|module| module.path == path).map(|module| module.file.as_path());
        let place = place.unwrap_or(Path::new(""));
        let place = place.strip_prefix(base).unwrap_or(place);
        findings.extend(circles::find(&graph).iter().map(|circle| describe(place, circle, &folder, base)));
    }
    findings
}

/// Says which modules form the circle, and which imports close it.
fn describe(place: &Path, circle: &Circle, folder: &Folder, base: &Path) -> String {
    let modules = circle.modules.join(", ");
    let mut lines = vec![
        format!("{}: the modules {modules} import each other in a circle.", place.display()),
        "  Without these imports there is none. Move what they name into the importing module, or into a module below \
         both:"
            .to_owned(),
    ];
    for arrow in &circle.closing {
        let (from, to) = arrow;
        lines.push(format!("    {from} -> {to}"));
        let sites = &folder.arrows[arrow];
        for site in sites.iter().take(MAX_SITES) {
            let file = site.file.strip_prefix(base).unwrap_or(&site.file);
            lines.push(format!("      {}:{}  {}", file.display(), site.line, site.path));
        }
        if sites.len() > MAX_SITES {
            lines.push(format!("      and {} more", sites.len() - MAX_SITES));
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests;
