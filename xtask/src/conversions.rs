//! The check for silent fallbacks: product code must not replace a failed conversion of a number or a date, or a missing
//! amount, policy or date, by a default.
//!
//! `i64::try_from(x).unwrap_or(0)` turns an impossible amount into a wrong one. Such a conversion is an error, or a type
//! that cannot fail. The one exception is a function whose name begins with `saturating_`, whose documentation says why
//! the nearest value will do (metrics). Found are:
//!
//! - a fallback after a conversion: `unwrap_or`, `unwrap_or_default`, `unwrap_or_else`, `map_or`, `map_or_else`, unless it
//!   falls back to an error;
//! - a `match` or `if let` on a conversion whose other arm is a constant;
//! - `unwrap_or_default` of a value that is named after money, a policy or a date: `policy.unwrap_or_default()`;
//! - a cast to a type that is signed or narrower than 64 bits: `count as i64`.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use staymesh_devenv::repository;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Expr, Item, Pat};

use crate::source::{crates, is_test_file, is_test_only, item_attributes, rust_files};

/// Associated functions and methods that convert and can fail.
const CONVERSIONS: &[&str] = &[
    "try_from",
    "try_into",
    "from_minor",
    "from_name",
    "role_from_name",
    "from_str",
    "to_i64",
    "to_u64",
    "to_i32",
    "to_u32",
    "to_usize",
    "to_f64",
];
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
const FALLBACKS: &[&str] = &["unwrap_or", "unwrap_or_default", "unwrap_or_else", "map_or", "map_or_else"];
/// Parts of the names of values that have no default.
const WITHOUT_DEFAULT: &[&str] = &[
    "amount",
    "policy",
    "price",
    "currency",
    "money",
    "minor",
    "subtotal",
    "total",
    "tax",
    "penalty",
    "commission",
    "check_in",
    "check_out",
    "date",
];
/// Types that a cast must not have as its target. Clippy refuses those casts to the other types that can change a value;
/// floating-point numbers hold neither money nor dates.
const NARROW: &[&str] = &["i8", "i16", "i32", "i64", "isize", "u8", "u16", "u32"];
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
            "{} silent fallbacks on numbers, money or dates; make them errors, or types that cannot fail:\n  {}",
            findings.len(),
            findings.join("\n  ")
        );
    }
    Ok(format!("{files} files, no silent fallback on numbers, money or dates"))
}

fn finding(file: &Path, line: usize, what: &str) -> String {
    format!("{}:{line}: {what}", file.display())
}

fn fallbacks_in(path: &Path) -> Result<Vec<(usize, String)>> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    fallbacks(&text).with_context(|| format!("parsing {}", path.display()))
}

/// The line and the form of each silent fallback in a file.
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
        let falls_back = FALLBACKS.contains(&method.as_str()) && !call.args.first().is_some_and(is_error);
        if falls_back && converts(&call.receiver) {
            self.add(&call.method, format!("`{method}` on a conversion"));
        } else if method == "unwrap_or_default"
            && let Some(name) = name_of(&call.receiver)
            && has_no_default(&name)
        {
            self.add(&call.method, format!("`{method}` on `{name}`"));
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_match(&mut self, matched: &'a syn::ExprMatch) {
        if converts(&matched.expr) && matched.arms.iter().any(|arm| is_failure(&arm.pat) && is_constant(&arm.body)) {
            self.add(&matched.match_token, "a constant for a failed conversion".to_owned());
        }
        visit::visit_expr_match(self, matched);
    }

    fn visit_expr_if(&mut self, branch: &'a syn::ExprIf) {
        let on_conversion = matches!(&*branch.cond, Expr::Let(condition) if converts(&condition.expr));
        if on_conversion && branch.else_branch.as_ref().is_some_and(|(_, other)| is_constant(other)) {
            self.add(&branch.if_token, "a constant for a failed conversion".to_owned());
        }
        visit::visit_expr_if(self, branch);
    }

    fn visit_expr_cast(&mut self, cast: &'a syn::ExprCast) {
        if let syn::Type::Path(target) = &*cast.ty
            && let Some(name) = target.path.get_ident().map(ToString::to_string)
            && NARROW.contains(&name.as_str())
        {
            self.add(&cast.as_token, format!("a cast to {name}"));
        }
        visit::visit_expr_cast(self, cast);
    }
}

impl Finder {
    fn add(&mut self, at: &impl Spanned, what: String) {
        self.found.push((at.span().start().line, what));
    }
}

/// Whether an expression is `Err(..)`, or a closure that yields it.
fn is_error(expression: &Expr) -> bool {
    match expression {
        Expr::Call(call) => matches!(&*call.func, Expr::Path(function) if function.path.is_ident("Err")),
        Expr::Closure(closure) => is_error(&closure.body),
        _ => false,
    }
}

/// The name of a variable, field or method.
fn name_of(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Path(path) => path.path.get_ident().map(ToString::to_string),
        Expr::Field(field) => match &field.member {
            syn::Member::Named(name) => Some(name.to_string()),
            syn::Member::Unnamed(_) => None,
        },
        Expr::MethodCall(call) if matches!(call.method.to_string().as_str(), "ok" | "copied" | "cloned" | "as_ref") => {
            name_of(&call.receiver)
        }
        Expr::MethodCall(call) => Some(call.method.to_string()),
        _ => None,
    }
}

fn has_no_default(name: &str) -> bool {
    WITHOUT_DEFAULT.iter().any(|word| {
        let rest = name.strip_suffix(word);
        rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('_'))
    })
}

/// Whether a pattern takes what was not converted: `Err(_)`, `None` or `_`.
fn is_failure(pattern: &Pat) -> bool {
    match pattern {
        Pat::Wild(_) => true,
        Pat::Ident(name) => name.ident == "None",
        Pat::TupleStruct(variant) => variant.path.is_ident("Err"),
        _ => false,
    }
}

/// Whether an expression is a literal, a constant or `default()`.
fn is_constant(expression: &Expr) -> bool {
    match expression {
        Expr::Lit(_) => true,
        Expr::Unary(negative) => is_constant(&negative.expr),
        Expr::Path(path) => {
            let name = path.path.segments.last().map(|segment| segment.ident.to_string());
            name.is_some_and(|name| name.len() > 1 && !name.contains(|letter: char| letter.is_ascii_lowercase()))
        }
        Expr::Call(call) => {
            matches!(&*call.func, Expr::Path(function) if function.path.segments.last().is_some_and(|s| s.ident == "default"))
        }
        Expr::Block(block) => match &*block.block.stmts {
            [syn::Stmt::Expr(expression, None)] => is_constant(expression),
            _ => false,
        },
        _ => false,
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
mod tests;
