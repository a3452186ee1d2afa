use super::*;

/// What is found in the body of a function.
fn found(body: &str) -> Vec<String> {
    let found = fallbacks(&format!("fn f() {{ {body} }}")).unwrap();
    found.into_iter().map(|(_, what)| what.replace("` on a conversion", "").replace('`', "")).collect()
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
fn map_or_and_constant_arms_on_a_conversion_are_found() {
    assert_eq!(found("u64::try_from(x).map_or(0, |n| n + 1)"), ["map_or"]);
    assert_eq!(found("Currency::from_str(x).map_or_else(|_| other(), Some)"), ["map_or_else"]);
    assert_eq!(found("Role::from_name(x).unwrap_or(Role::Unspecified)"), ["unwrap_or"]);
    let constant = ["a constant for a failed conversion"];
    assert_eq!(found("match i64::try_from(x) { Ok(n) => n, Err(_) => 0 }"), constant);
    assert_eq!(found("match i64::try_from(x).ok() { Some(n) => n, None => i64::MAX }"), constant);
    assert_eq!(found("if let Ok(n) = i64::try_from(x) { n } else { -1 }"), constant);
    assert_eq!(found("match Money::from_minor(x, c) { Ok(m) => m, _ => Money::default() }"), constant);
}

#[test]
fn default_of_money_policy_or_date_and_narrow_cast_are_found() {
    assert_eq!(found("rate.cancellation_policy.unwrap_or_default()"), ["unwrap_or_default on cancellation_policy"]);
    assert_eq!(found("amount.ok().unwrap_or_default()"), ["unwrap_or_default on amount"]);
    assert_eq!(found("stay.check_in().unwrap_or_default()"), ["unwrap_or_default on check_in"]);
    assert_eq!(found("rows.len() as i64"), ["a cast to i64"]);
}

#[test]
fn decisions_on_a_failed_conversion_and_wide_casts_pass() {
    for body in [
        "i64::try_from(x).map_or(Err(Error::Range), Ok)",
        "match HotelId::try_from(x) { Ok(id) => works_for(id), Err(_) => self.is_admin() }",
        "match i64::try_from(x) { Ok(n) => n, Err(_) => return Err(Error::Range) }",
        "update.unwrap_or_default()",
        "candidate.unwrap_or_default()",
        "wanted.amount.unwrap_or(limit)",
        "rows.len() as u64",
    ] {
        assert_eq!(found(body), Vec::<String>::new(), "{body}");
    }
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
    let what = "`unwrap_or` on a conversion";
    assert_eq!(found, [(3, what.to_owned())]);
    assert_eq!(finding(Path::new("a.rs"), 3, what), "a.rs:3: `unwrap_or` on a conversion");
}
