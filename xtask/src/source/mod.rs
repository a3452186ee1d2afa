//! The workspace's Rust source, as the checks read it: crates, files, and module trees without their test code.

mod crates;
mod test_code;
mod tree;

pub(crate) use crates::{Crate, crates, rust_files};
pub(crate) use test_code::{is_test_file, is_test_only, item_attributes, test_lines};
pub(crate) use tree::Tree;
