//! The contract's REST forms and messages as Lua tables, for the strict readers `json.lua` and `query.lua`.

use std::{collections::BTreeMap, fmt::Write as _};

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use staymesh_contract::{Binding, Contract, Method, spellings, template};

/// Upper limit of the nesting of a query parameter's name.
const DEEPEST_PARAMETER: usize = 4;

/// The key of a REST form: `GET /v1/hotels/{hotel_id}`.
pub(super) fn key(binding: &Binding) -> String {
    format!("{} {}", binding.verb, binding.template)
}

/// The tables `MESSAGES`, of fields by message and spelling, and `BINDINGS`, of REST forms by [`key`].
pub(super) fn tables(contract: &Contract) -> String {
    let mut messages = BTreeMap::new();
    let mut forms = BTreeMap::new();
    for method in contract.exposed_services().flat_map(|service| &service.methods) {
        for binding in &method.bindings {
            if let Some(message) = &binding.body {
                collect(message, &mut messages);
            }
            forms.insert(key(binding), form(method, binding));
        }
    }
    let mut lua =
        String::from("local MESSAGES = {}\nlocal function of(name) return function() return MESSAGES[name] end end\n");
    // Writing to a String cannot fail.
    for (name, fields) in messages {
        let _ = writeln!(lua, "MESSAGES[{}] = {{\n{fields}}}", quoted(&name));
    }
    lua.push_str("local BINDINGS = {\n");
    for (key, form) in forms {
        let _ = writeln!(lua, "  [{}] = {form},", quoted(&key));
    }
    lua.push_str("}\n");
    lua
}

/// The fields of a message and of the messages in it, one line for each spelling: the transcoder accepts both.
fn collect(message: &MessageDescriptor, found: &mut BTreeMap<String, String>) {
    if found.contains_key(message.full_name()) {
        return;
    }
    let mut lines = String::new();
    for field in message.fields() {
        let value = value(&field);
        let definition = if field.is_list() {
            format!("list = {{element = true, {value}}}, expected = \"must be a list\"")
        } else {
            value
        };
        // Of the alternatives of a oneof a body may have one.
        let oneof = field.containing_oneof().filter(|oneof| oneof.fields().len() > 1);
        let oneof = oneof.map(|oneof| format!("oneof = {}, ", quoted(oneof.name()))).unwrap_or_default();
        for spelling in spellings(message, field.name()) {
            let _ =
                writeln!(lines, "  [{}] = {{name = \"{}\", {oneof}{definition}}},", quoted(&spelling), field.name());
        }
    }
    found.insert(message.full_name().to_owned(), lines);
    message.fields().filter_map(|field| nested(&field)).for_each(|message| collect(&message, found));
}

/// One REST form: the fields that its path, query and body may set.
fn form(method: &Method, binding: &Binding) -> String {
    let mut query = String::new();
    let mut names = Vec::new();
    for (path, field) in parameters(binding) {
        let definition = value(&field);
        for spelling in spellings(&binding.input, &path) {
            let repeated = field.is_list();
            let _ = write!(
                query,
                "[{}] = {{name = {}, repeated = {repeated}, {definition}}}, ",
                quoted(&spelling),
                quoted(&path)
            );
        }
        names.push(path);
    }
    let in_path: Vec<String> = binding.in_path.iter().map(|name| format!("[{}] = true", quoted(name))).collect();
    let variables: Vec<String> = template::variables(&binding.template)
        .filter_map(|path| Some(format!("{{name = {}, {}}}", quoted(path), value(&field_at(&binding.input, path)?))))
        .collect();
    let mut form = format!(
        "{{page = {}, path = {}, variables = {{{}}}, in_path = {{{}}}, parameters = {}, query = {{{query}}}",
        method.raw && binding.verb == "GET",
        quoted(&pattern(&binding.template)),
        variables.join(", "),
        in_path.join(", "),
        quoted(&names.join(", ")),
    );
    if let Some(message) = &binding.body {
        let prefix = if binding.body_field == "*" { "" } else { &binding.body_field };
        let _ = write!(form, ", body = of({}), prefix = {}", quoted(message.full_name()), quoted(prefix));
    }
    form.push('}');
    form
}

/// The fields that the query may set, by path: those which neither path nor body sets.
fn parameters(binding: &Binding) -> Vec<(String, FieldDescriptor)> {
    let mut found = Vec::new();
    if binding.body_field != "*" {
        for field in binding.input.fields().filter(|field| field.name() != binding.body_field) {
            add_parameters(&field, field.name(), DEEPEST_PARAMETER, &mut found);
        }
    }
    found.retain(|(path, _)| !binding.in_path.contains(path));
    found
}

fn add_parameters(field: &FieldDescriptor, path: &str, depth: usize, found: &mut Vec<(String, FieldDescriptor)>) {
    match nested(field) {
        None if !field.is_map() => found.push((path.to_owned(), field.clone())),
        Some(message) if !field.is_list() && depth > 0 => {
            for inside in message.fields() {
                add_parameters(&inside, &format!("{path}.{}", inside.name()), depth - 1, found);
            }
        }
        _ => {}
    }
}

fn field_at(message: &MessageDescriptor, path: &str) -> Option<FieldDescriptor> {
    match path.split_once('.') {
        None => message.get_field_by_name(path),
        Some((step, rest)) => field_at(&nested(&message.get_field_by_name(step)?)?, rest),
    }
}

/// The kind of a single value of the field, and the words for it.
fn value(field: &FieldDescriptor) -> String {
    let integer = |from: &str, to: &str| {
        format!("kind = \"integer\", from = {from}, to = {to}, expected = \"must be an integer from {from} to {to}\"")
    };
    match field.kind() {
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => integer("-2147483648", "2147483647"),
        Kind::Uint32 | Kind::Fixed32 => integer("0", "4294967295"),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => integer("-9223372036854775808", "9223372036854775807"),
        Kind::Uint64 | Kind::Fixed64 => integer("0", "18446744073709551615"),
        Kind::Double | Kind::Float => "kind = \"number\", expected = \"must be a number\"".to_owned(),
        Kind::Bool => "kind = \"bool\", expected = \"must be true or false\"".to_owned(),
        Kind::Enum(values) => {
            let names: Vec<String> = values.values().map(|value| value.name().to_owned()).collect();
            let known: Vec<String> = names.iter().map(|name| format!("{name} = true")).collect();
            let numbers: Vec<String> =
                values.values().map(|value| format!("[\"{}\"] = true", value.number())).collect();
            let offered: Vec<&str> =
                names.iter().map(String::as_str).filter(|name| !name.ends_with("_UNSPECIFIED")).collect();
            format!(
                "kind = \"enum\", values = {{{}}}, numbers = {{{}}}, expected = \"must be one of {}\"",
                known.join(", "),
                numbers.join(", "),
                offered.join(", ")
            )
        }
        Kind::Message(_) => nested(field).map_or_else(
            // Google's types are texts in JSON.
            || "kind = \"string\", expected = \"must be a text\"".to_owned(),
            |message| {
                format!(
                    "kind = \"object\", fields = of({}), expected = \"must be an object\"",
                    quoted(message.full_name())
                )
            },
        ),
        Kind::String | Kind::Bytes => "kind = \"string\", expected = \"must be a text\"".to_owned(),
    }
}

/// The message of the contract in a field. Not Google's types, which have their own JSON forms.
fn nested(field: &FieldDescriptor) -> Option<MessageDescriptor> {
    match field.kind() {
        Kind::Message(message) if message.package_name().starts_with("staymesh.") => Some(message),
        _ => None,
    }
}

/// A template as a Lua pattern whose captures are its variables.
fn pattern(template: &str) -> String {
    let mut result = String::from("^");
    let mut rest = template;
    while let Some(start) = rest.find('{') {
        escape(&rest[..start], &mut result);
        result.push_str("([^/:]+)");
        let end = rest[start..].find('}').map_or(rest.len(), |at| start + at + 1);
        rest = rest.get(end..).unwrap_or_default();
    }
    escape(rest, &mut result);
    result.push_str("/?$");
    result
}

fn escape(text: &str, result: &mut String) {
    for c in text.chars() {
        if !c.is_ascii_alphanumeric() && c != '/' {
            result.push('%');
        }
        result.push(c);
    }
}

fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("/v1/hotels", "^/v1/hotels/?$")]
    #[case("/v1/payments/{payment_id}:refund", "^/v1/payments/([^/:]+)%:refund/?$")]
    #[case("/.well-known/jwks.json", "^/%.well%-known/jwks%.json/?$")]
    fn pattern_of_template(#[case] template: &str, #[case] expected: &str) {
        assert_eq!(pattern(template), expected);
    }

    #[test]
    fn every_map_and_google_type_of_a_request_has_a_known_json_form() {
        const TEXTS: [&str; 2] = ["google.protobuf.Timestamp", "google.protobuf.FieldMask"];
        let contract = Contract::read(staymesh_api::DESCRIPTOR_SET).expect("the contract can be read");
        let methods = contract.exposed_services().flat_map(|service| &service.methods);
        let mut open: Vec<MessageDescriptor> = methods.flat_map(|m| &m.bindings).map(|b| b.input.clone()).collect();
        let mut seen = std::collections::HashSet::new();
        while let Some(message) = open.pop() {
            for field in message.fields().filter(|field| !field.is_map()) {
                match (nested(&field), field.kind()) {
                    (Some(inside), _) if seen.insert(inside.full_name().to_owned()) => open.push(inside),
                    (None, Kind::Message(google)) if !staymesh_contract::is_raw(&google) => {
                        assert!(TEXTS.contains(&google.full_name()), "{}", field.full_name());
                    }
                    _ => {}
                }
            }
            assert!(message.fields().all(|field| !field.is_map()), "{}: json.lua reads no maps", message.full_name());
        }
    }
}
