use std::fs;

use super::*;

/// Writes a small crate, and yields its circles as text with paths relative to its directory.
fn findings(files: &[(&str, &str)]) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let tree = Tree::read(&dir.path().join("src/lib.rs")).unwrap();
    findings_of(&tree, dir.path())
}

/// The one finding, which must name the modules and contain each part.
fn assert_circle(files: &[(&str, &str)], modules: &str, parts: &[&str]) {
    let found = findings(files);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].contains(&format!("the modules {modules} import each other")), "{}", found[0]);
    for part in parts {
        assert!(found[0].contains(part), "{part:?} is missing in {}", found[0]);
    }
}

#[test]
fn imports_in_one_direction_are_no_circle() {
    let found = findings(&[
        ("src/lib.rs", "mod a;\nmod b;\nmod c;\n"),
        ("src/a.rs", "use crate::b::B;\nuse super::c::C;\n"),
        ("src/b.rs", "pub struct B;\nuse crate::c::C;\n"),
        ("src/c.rs", "pub struct C;\nuse std::fmt;\nuse other::a::A;\n"),
    ]);
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn direct_circle_is_reported_with_file_and_line() {
    let files = [
        ("src/lib.rs", "mod a;\nmod b;\n"),
        ("src/a.rs", "use crate::b::B;\nuse crate::b::C;\npub struct A;\n"),
        ("src/b.rs", "\nuse crate::a::A;\npub struct B;\npub struct C;\n"),
    ];
    assert_circle(&files, "a, b", &["src/lib.rs", "b -> a", "src/b.rs:2  crate::a::A"]);
}

#[test]
fn the_fewest_imports_are_named_as_closing_ones() {
    let files = [
        ("src/lib.rs", "mod a;\nmod b;\n"),
        ("src/a.rs", "use crate::b::{B, C};\npub struct A;\n"),
        ("src/b.rs", "use crate::a::A;\npub struct B;\npub struct C;\n"),
    ];
    let found = findings(&files);
    assert!(!found[0].contains("a -> b"), "{}", found[0]);
}

#[test]
fn circle_of_three_is_closed_by_one_import() {
    let files = [
        ("src/lib.rs", "mod a;\nmod b;\nmod c;\n"),
        ("src/a.rs", "use crate::b::{B, B2};\npub struct A;\n"),
        ("src/b.rs", "use crate::c::{C, C2};\npub struct B;\npub struct B2;\n"),
        ("src/c.rs", "use crate::a::A;\npub struct C;\npub struct C2;\n"),
    ];
    assert_circle(&files, "a, b, c", &["c -> a"]);
}

#[test]
fn path_through_super_closes_a_circle() {
    let files = [
        ("src/lib.rs", "mod a;\nmod b;\n"),
        ("src/a.rs", "pub fn a() { super::b::b() }\n"),
        ("src/b.rs", "pub fn b() { super::a::a() }\n"),
    ];
    assert_circle(&files, "a, b", &["super::"]);
}

#[test]
fn path_in_a_type_or_a_macro_closes_a_circle() {
    let files = [
        ("src/lib.rs", "mod a;\nmod b;\n"),
        ("src/a.rs", "pub const A: u8 = 1;\npub struct S(crate::b::B);\n"),
        ("src/b.rs", "pub struct B;\npub fn b() { println!(\"{}\", 1 + crate::a::A) }\n"),
    ];
    assert_circle(&files, "a, b", &["->"]);
}

#[test]
fn reexport_of_the_root_leads_to_the_defining_module() {
    let files = [
        ("src/lib.rs", "mod a;\nmod b;\npub use a::A;\npub use b::*;\n"),
        ("src/a.rs", "use crate::B;\npub struct A;\n"),
        ("src/b.rs", "use crate::A as Renamed;\npub struct B;\n"),
    ];
    assert_circle(&files, "a, b", &["crate::"]);
}

#[test]
fn name_that_a_glob_of_the_parent_brings_leads_to_the_defining_module() {
    let files = [
        ("src/lib.rs", "mod a;\nmod b;\nuse a::A;\n"),
        ("src/a.rs", "use crate::b::b;\npub struct A;\n"),
        ("src/b.rs", "use super::*;\npub fn b() { let _ = A; }\n"),
    ];
    assert_circle(&files, "a, b", &["->"]);
}

#[test]
fn circle_inside_a_nested_folder_is_reported_for_that_folder() {
    let files = [
        ("src/lib.rs", "mod outer;\n"),
        ("src/outer/mod.rs", "mod a;\nmod b;\n"),
        ("src/outer/a.rs", "use crate::outer::b::B;\npub struct A;\n"),
        ("src/outer/b.rs", "use super::a::A;\npub struct B;\n"),
    ];
    assert_circle(&files, "a, b", &["src/outer/mod.rs: "]);
}

#[test]
fn imports_between_files_deep_in_two_folders_close_a_circle_of_the_folders() {
    let files = [
        ("src/lib.rs", "mod a;\nmod b;\n"),
        ("src/a/mod.rs", "pub mod one;\n"),
        ("src/a/one.rs", "use crate::b::two::Two;\npub struct One;\n"),
        ("src/b.rs", "pub mod two;\npub mod three;\n"),
        ("src/b/two.rs", "pub struct Two;\n"),
        ("src/b/three.rs", "use super::super::a::one::One;\n"),
    ];
    assert_circle(&files, "a, b", &["src/lib.rs: "]);
}

#[test]
fn import_of_the_own_parent_is_no_arrow_between_siblings() {
    let found = findings(&[
        ("src/lib.rs", "mod a;\nmod b;\npub struct Shared;\nuse a::A;\n"),
        ("src/a.rs", "use crate::Shared;\nuse crate::b::B;\npub struct A;\n"),
        ("src/b.rs", "use super::Shared;\npub struct B;\n"),
    ]);
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn circle_in_test_code_alone_is_no_finding() {
    let found = findings(&[
        ("src/lib.rs", "mod a;\nmod b;\n#[cfg(test)]\nmod testing;\n"),
        ("src/a.rs", "use crate::b::B;\npub struct A;\n#[cfg(test)]\nmod tests;\n"),
        ("src/a/tests.rs", "use crate::b::B;\n"),
        ("src/b.rs", "pub struct B;\n#[cfg(test)]\nuse crate::a::A;\n#[cfg(test)]\nmod tests { use crate::a::A; }\n"),
        ("src/testing.rs", "use crate::a::A;\nuse crate::b::B;\n"),
    ]);
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn module_without_a_file_is_an_error_with_its_name() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("lib.rs"), "mod gone;\n").unwrap();
    let error = Tree::read(&dir.path().join("lib.rs")).map(drop).unwrap_err().to_string();
    assert!(error.contains("mod gone;"), "{error}");
}

#[test]
fn dependency_on_a_crate_of_the_same_or_a_higher_layer_is_a_finding() {
    assert_eq!(layers::faults_of("payment", &["mesh", "ledger", "domain"]), Vec::<String>::new());
    assert!(layers::faults_of("payment", &["hotel"])[0].contains("payment depends on hotel"));
    assert!(layers::faults_of("store", &["mesh"])[0].contains("store depends on mesh"));
    assert!(layers::faults_of("new", &[])[0].contains("layers.rs"));
}

#[test]
fn table_counts_test_modules_and_test_files_as_test_lines() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("src/a")).unwrap();
    fs::write(dir.path().join("src/lib.rs"), "mod a;\n").unwrap();
    fs::write(dir.path().join("src/a.rs"), "pub struct A;\n\n#[cfg(test)]\nmod tests {\n}\n").unwrap();
    fs::write(dir.path().join("src/a/tests.rs"), "//\n//\n").unwrap();
    let modules = table::modules(dir.path()).unwrap();
    assert_eq!(modules["a"], table::Lines { product: 2, test: 5 });
    assert_eq!(modules["lib"], table::Lines { product: 1, test: 0 });
}
