//! The check of the documentation's references: every relative link and every back-quoted path names something that
//! exists.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use staymesh_devenv::repository;

/// A back-quoted text that begins so is a path from the root of the repository.
const ROOTS: &[&str] = &["crates/", "proto/", "migrations/", "docs/", "tests/", "xtask/", "helm/", "k8s/"];
/// Directories that hold no documentation of this repository.
const SKIPPED: &[&str] = &[".git", ".dev", "target", "node_modules"];
/// A path with one of these stands for several.
const PLACEHOLDERS: &[char] = &['*', '<', '{', '…', '$', '['];

/// Checks every Markdown file of the repository. Yields a sentence with the count.
///
/// # Errors
///
/// If a reference leads nowhere, or a file cannot be read.
pub(crate) fn check() -> Result<String> {
    let root = repository();
    let files = markdown_files(&root)?;
    let mut findings = Vec::new();
    for file in &files {
        findings.extend(broken_references(&root, file)?);
    }
    if !findings.is_empty() {
        bail!("{} references in the documentation lead nowhere:\n  {}", findings.len(), findings.join("\n  "));
    }
    Ok(format!("{} files, every link and path exists", files.len()))
}

fn markdown_files(root: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).with_context(|| format!("reading {}", dir.display()))? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default();
            if path.is_dir() {
                if !SKIPPED.iter().any(|skipped| name == *skipped) {
                    open.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "md") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

/// One sentence for each reference of a file that leads nowhere.
fn broken_references(root: &Path, file: &Path) -> Result<Vec<String>> {
    let text = fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    let dir = file.parent().unwrap_or(root);
    let name = file.strip_prefix(root).unwrap_or(file).display();
    let mut findings = Vec::new();
    let mut in_block = false;
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        }
        if in_block {
            continue;
        }
        let links = links(line).into_iter().filter(|link| !dir.join(link).exists());
        let paths = quoted_paths(line).into_iter().filter(|path| !root.join(path).exists());
        findings.extend(links.chain(paths).map(|broken| format!("{name}:{}: {broken}", index + 1)));
    }
    Ok(findings)
}

/// The targets of relative links in a line, without their anchors.
fn links(line: &str) -> Vec<&str> {
    let targets = line.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
    let files = targets.map(|target| target.split_once('#').map_or(target, |(file, _)| file));
    files.filter(|file| !file.is_empty() && !file.contains(':')).collect()
}

/// The paths in back quotes in a line, without the line numbers and arguments that may follow them.
fn quoted_paths(line: &str) -> Vec<&str> {
    let quoted = line.split('`').skip(1).step_by(2);
    let paths = quoted.filter(|text| ROOTS.iter().any(|root| text.starts_with(root)));
    let paths = paths.map(|text| text.split([' ', ':', '#', ',']).next().unwrap_or(text));
    paths.filter(|path| !path.contains(PLACEHOLDERS)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The findings in `docs/PAGE.md` of a repository that also has `crates/mesh/src/lib.rs`.
    fn findings(text: &str) -> Vec<String> {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("docs")).unwrap();
        fs::create_dir_all(root.path().join("crates/mesh/src")).unwrap();
        fs::write(root.path().join("crates/mesh/src/lib.rs"), "").unwrap();
        let page = root.path().join("docs/PAGE.md");
        fs::write(&page, text).unwrap();
        assert_eq!(markdown_files(root.path()).unwrap(), [page.as_path()]);
        broken_references(root.path(), &page).unwrap()
    }

    #[test]
    fn existing_links_and_paths_pass() {
        let text = "[page](PAGE.md#part), [code](../crates/mesh/src/lib.rs), [site](https://example.org/x), [here](#x)\n\
                    `crates/mesh/src/lib.rs:3`, `docs/errors/<REASON>.md`, `migrations/*/0001.sql`, `cargo xtask test`\n";
        assert_eq!(findings(text), Vec::<String>::new());
    }

    #[test]
    fn broken_link_is_named_with_its_line() {
        assert_eq!(findings("one\n[two](GONE.md#part)\n"), ["docs/PAGE.md:2: GONE.md"]);
    }

    #[test]
    fn missing_quoted_path_is_named_with_its_line() {
        assert_eq!(findings("see `crates/parts/src/lib.rs`\n"), ["docs/PAGE.md:1: crates/parts/src/lib.rs"]);
    }

    #[test]
    fn code_blocks_are_not_read() {
        assert_eq!(findings("```\n`crates/gone`\n```\n"), Vec::<String>::new());
    }
}
