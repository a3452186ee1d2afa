//! The check for silent fallbacks: product code must not replace a failed conversion of a number or a date by a default.
//!
//! `i64::try_from(x).unwrap_or(0)` turns an impossible amount into a wrong one. Such a conversion is an error, or a type
//! that cannot fail. The one exception is a function whose name begins with `saturating_`, whose documentation says why
//! the nearest value will do (metrics).

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use staymesh_devenv::repository;
use syn::visit::{self, Visit};
use syn::{Expr, Item};

use crate::source::{crates, is_test_file, is_test_only, item_attributes, rust_files};

/// Associated functions and methods that convert and can fail.
const CONVERSIONS: &[&str] =
    &["try_from", "try_into", "from_minor", "from_str", "to_i64", "to_u64", "to_i32", "to_u32", "to_usize", "to_f64"];
/// Types whose `parse` counts; `parse` without a type counts always.
const PARSED: &[&str] = &[
    "i8",
    "i16",
    "i32",
    "i64",
    "i128",
    "isize",
    "u8",
    "u16",
    "u32",
    "u64",
    "u128",
    "usize",
    "f32",
    "f64",
    "Decimal",
    "Date",
    "Timestamp",
    "DateTime",
    "Time",
    "Span",
    "_",
];
/// Methods that replace an error or a `None` by a value.
const FALLBACKS: &[&str] = &["unwrap_or", "unwrap_or_default", "unwrap_or_else"];
/// Methods of `Option` and `Result` whose closure may hold the conversion.
const CHAINS: &[&str] = &["and_then", "map", "filter_map", "or_else"];

/// Checks the product code of the whole workspace. Yields a sentence with the count.
///
/// # Errors
///
/// If there is a silent fallback, or source that cannot be read.
pub(crate) fn check() -> Result<String> {
    let repository = repository();
    let (mut files, mut findings) = (0, Vec::new());
    for member in crates(&repository)? {
        // The crate of the cross-service tests has no product code.
        if member.name == "tests" {
            continue;
        }
        for file in rust_files(&member.dir)? {
            if is_test_file(file.strip_prefix(&member.dir)?) {
                continue;
            }
            files += 1;
            let name = file.strip_prefix(&repository).unwrap_or(&file);
            findings.extend(fallbacks_in(&file)?.into_iter().map(|(line, method)| finding(name, line, &method)));
        }
    }
    if !findings.is_empty() {
        bail!(
            "{} conversions of numbers or dates fall back silently; make them errors, or types that cannot fail:\n  {}",
            findings.len(),
            findings.join("\n  ")
        );
    }
    Ok(format!("{files} files, no silent fallback on a conversion"))
}

fn finding(file: &Path, line: usize, method: &str) -> String {
    format!("{}:{line}: `{method}` on a conversion", file.display())
}

fn fallbacks_in(path: &Path) -> Result<Vec<(usize, String)>> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    fallbacks(&text).with_context(|| format!("parsing {}", path.display()))
}

/// The line and the method of each silent fallback in a file.
fn fallbacks(text: &str) -> Result<Vec<(usize, String)>> {
    let mut finder = Finder::default();
    finder.visit_file(&syn::parse_file(text)?);
    Ok(finder.found)
}

#[derive(Default)]
struct Finder {
    found: Vec<(usize, String)>,
}

impl<'a> Visit<'a> for Finder {
    fn visit_item(&mut self, item: &'a Item) {
        let saturating = matches!(item, Item::Fn(function) if is_saturating(&function.sig));
        if !saturating && !is_test_only(item_attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, function: &'a syn::ImplItemFn) {
        if !is_saturating(&function.sig) && !is_test_only(&function.attrs) {
            visit::visit_impl_item_fn(self, function);
        }
    }

    fn visit_expr_method_call(&mut self, call: &'a syn::ExprMethodCall) {
        let method = call.method.to_string();
        if FALLBACKS.contains(&method.as_str()) && converts(&call.receiver) {
            self.found.push((call.method.span().start().line, method));
        }
        visit::visit_expr_method_call(self, call);
    }
}

fn is_saturating(signature: &syn::Signature) -> bool {
    signature.ident.to_string().starts_with("saturating_")
}

/// Whether an expression is a conversion that can fail, perhaps with methods of `Option` or `Result` after it.
fn converts(expression: &Expr) -> bool {
    match expression {
        Expr::MethodCall(call) => {
            let method = call.method.to_string();
            if method == "parse" {
                return parses_a_number_or_date(call);
            }
            CONVERSIONS.contains(&method.as_str())
                || (CHAINS.contains(&method.as_str()) && call.args.iter().any(converts))
                || converts(&call.receiver)
        }
        Expr::Call(call) => match &*call.func {
            Expr::Path(function) => names_conversion(&function.path),
            _ => false,
        },
        Expr::Path(function) => function.path.segments.len() > 1 && names_conversion(&function.path),
        Expr::Closure(closure) => converts(&closure.body),
        Expr::Block(block) => {
            matches!(block.block.stmts.last(), Some(syn::Stmt::Expr(expression, None)) if converts(expression))
        }
        Expr::Paren(inner) => converts(&inner.expr),
        Expr::Reference(inner) => converts(&inner.expr),
        Expr::Await(inner) => converts(&inner.base),
        _ => false,
    }
}

fn names_conversion(path: &syn::Path) -> bool {
    let name = path.segments.last().map(|segment| segment.ident.to_string());
    name.is_some_and(|name| CONVERSIONS.contains(&name.as_str()) || name == "parse_date")
}

fn parses_a_number_or_date(call: &syn::ExprMethodCall) -> bool {
    let Some(generics) = &call.turbofish else { return true };
    generics.args.iter().any(|argument| match argument {
        syn::GenericArgument::Type(syn::Type::Path(path)) => {
            path.path.segments.last().is_some_and(|last| PARSED.contains(&last.ident.to_string().as_str()))
        }
        syn::GenericArgument::Type(syn::Type::Infer(_)) => true,
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The methods found in the body of a function.
    fn found(body: &str) -> Vec<String> {
        let found = fallbacks(&format!("fn f() {{ {body} }}")).unwrap();
        found.into_iter().map(|(_, method)| method).collect()
    }

    #[test]
    fn fallback_after_a_conversion_is_found() {
        assert_eq!(found("i64::try_from(x).unwrap_or(0)"), ["unwrap_or"]);
        assert_eq!(found("let n: i64 = x.try_into().unwrap_or_default();"), ["unwrap_or_default"]);
        assert_eq!(found("text.parse::<u32>().unwrap_or_else(|_| 7)"), ["unwrap_or_else"]);
        assert_eq!(found("text.parse().unwrap_or(1)"), ["unwrap_or"]);
        assert_eq!(found("Money::from_minor(x, c).unwrap_or(zero)"), ["unwrap_or"]);
        assert_eq!(found("decimal.to_i64().unwrap_or(0)"), ["unwrap_or"]);
        assert_eq!(found("parse_date(text).unwrap_or(epoch)"), ["unwrap_or"]);
    }

    #[test]
    fn fallback_behind_other_methods_or_a_closure_is_found() {
        assert_eq!(found("i64::try_from(x).ok().map(|n| n + 1).unwrap_or(0)"), ["unwrap_or"]);
        assert_eq!(found("x.and_then(|n| i64::try_from(n).ok()).unwrap_or(0)"), ["unwrap_or"]);
        assert_eq!(found("x.map(i64::try_from).unwrap_or(Ok(0))"), ["unwrap_or"]);
        assert_eq!(found("g(h(u8::try_from(x).unwrap_or(0)))"), ["unwrap_or"]);
    }

    #[test]
    fn fallback_without_a_conversion_and_conversion_without_a_fallback_pass() {
        assert_eq!(found("name.unwrap_or_default()"), Vec::<String>::new());
        assert_eq!(found("map.get(&i64::try_from(x)?).unwrap_or(&0)"), Vec::<String>::new());
        assert_eq!(found("text.parse::<Uri>().unwrap_or_default()"), Vec::<String>::new());
        assert_eq!(found("i64::try_from(x).map_err(|_| Error::Range)?"), Vec::<String>::new());
    }

    #[test]
    fn test_code_and_saturating_helpers_pass() {
        let fallback = "{ u32::try_from(1_u64).unwrap_or(0); }";
        for text in [
            format!("#[cfg(test)] mod tests {{ fn f() {fallback} }}"),
            format!("/// A gauge holds no more.\nfn saturating_u32() {fallback}"),
            format!("impl T {{ fn saturating_u32() {fallback} }}"),
        ] {
            assert_eq!(fallbacks(&text).unwrap(), [], "{text}");
        }
    }

    #[test]
    fn finding_names_file_and_line() {
        let found = fallbacks("fn f() {\n    u32::try_from(1_u64)\n        .unwrap_or(0);\n}").unwrap();
        assert_eq!(found, [(3, "unwrap_or".to_owned())]);
        assert_eq!(finding(Path::new("a.rs"), 3, "unwrap_or"), "a.rs:3: `unwrap_or` on a conversion");
    }
}
