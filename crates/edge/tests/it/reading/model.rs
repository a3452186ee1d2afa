//! Documents and near-documents of one message, read by `serde_json` with the contract's rules, and by the edge.

use std::{collections::HashSet, fmt};

use anyhow::{Result, ensure};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use proptest::{
    prelude::*,
    strategy::ValueTree as _,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use reqwest::{Method, StatusCode};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::edge::Edge;

const DOCUMENTS: usize = 1500;
const AT_ONCE: usize = 16;

/// JSON with every name as it was written.
#[derive(Clone, Debug)]
enum Json {
    Null,
    Text(String),
    Number(f64),
    Bool,
    List(Vec<Self>),
    Object(Vec<(Option<String>, Self)>),
}

/// A name; `None` if it has an escape.
struct Name(Option<String>);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Name;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }
            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Name, E> {
                Ok(Name(Some(name.to_owned())))
            }
            fn visit_str<E>(self, _: &str) -> Result<Name, E> {
                Ok(Name(None))
            }
        }
        deserializer.deserialize_str(Reader)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Json;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }
            fn visit_unit<E>(self) -> Result<Json, E> {
                Ok(Json::Null)
            }
            fn visit_bool<E>(self, _: bool) -> Result<Json, E> {
                Ok(Json::Bool)
            }
            fn visit_i64<E>(self, number: i64) -> Result<Json, E> {
                #[expect(clippy::cast_precision_loss, reason = "only numbers of 32 bits are compared")]
                Ok(Json::Number(number as f64))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Json, E> {
                #[expect(clippy::cast_precision_loss, reason = "only numbers of 32 bits are compared")]
                Ok(Json::Number(number as f64))
            }
            fn visit_f64<E>(self, number: f64) -> Result<Json, E> {
                Ok(Json::Number(number))
            }
            fn visit_str<E>(self, text: &str) -> Result<Json, E> {
                Ok(Json::Text(text.to_owned()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Json, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = list.next_element()? {
                    values.push(value);
                }
                Ok(Json::List(values))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Json, A::Error> {
                let mut entries = Vec::new();
                while let Some((Name(name), value)) = object.next_entry()? {
                    entries.push((name, value));
                }
                Ok(Json::Object(entries))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// The fields of a hotel that documents use. Texts first, with their JSON name.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Integer,
    Texts,
    Address,
}

fn hotel_field(name: &str) -> Option<(&'static str, Kind)> {
    Some(match name {
        "display_name" | "displayName" => ("display_name", Kind::Text),
        "description" => ("description", Kind::Text),
        "star_rating" | "starRating" => ("star_rating", Kind::Integer),
        "amenities" => ("amenities", Kind::Texts),
        "address" => ("address", Kind::Address),
        _ => return None,
    })
}

fn address_field(name: &str) -> Option<(&'static str, Kind)> {
    Some(match name {
        "city" => ("city", Kind::Text),
        "country_code" | "countryCode" => ("country_code", Kind::Text),
        _ => return None,
    })
}

/// Whether the contract has exactly one reading of the object.
fn is_valid(entries: &[(Option<String>, Json)], field: fn(&str) -> Option<(&'static str, Kind)>) -> bool {
    let mut seen = HashSet::new();
    entries.iter().all(|(name, value)| {
        let Some((name, kind)) = name.as_deref().and_then(field) else { return false };
        seen.insert(name) && fits(value, kind)
    })
}

fn fits(value: &Json, kind: Kind) -> bool {
    match (value, kind) {
        (Json::Null, _) | (Json::Text(_), Kind::Text) => true,
        (Json::Number(number), Kind::Integer) => number.fract() == 0.0 && number.abs() < 2_147_483_648.0,
        (Json::Text(text), Kind::Integer) => {
            let digits = text.strip_prefix('-').unwrap_or(text);
            digits.bytes().all(|b| b.is_ascii_digit()) && text.parse::<i32>().is_ok()
        }
        (Json::List(texts), Kind::Texts) => texts.iter().all(|text| matches!(text, Json::Text(_))),
        (Json::Object(entries), Kind::Address) => is_valid(entries, address_field),
        _ => false,
    }
}

fn document() -> impl Strategy<Value = Vec<u8>> {
    let text = prop_oneof![
        "[a-z ]{0,5}",
        Just("ü\u{20ac}\u{1f600}".to_owned()),
        Just(r"\u00fc\n\\\/".to_owned()),
        Just(r"\ud83d\ude00".to_owned()),
        Just(r"\ud83d".to_owned()),
    ]
    .prop_map(|text| format!("\"{text}\""));
    let scalar = prop_oneof![
        4 => text.clone(),
        2 => prop_oneof!["[0-5]", "-?[0-9]{1,11}", "[0-9]{1,2}\\.[0-9]{1,2}", "-?[0-9]e[+-]?[0-9]", "\"-?[0-9]{1,3}\""],
        1 => prop_oneof![Just("null".to_owned()), Just("true".to_owned()), Just("[]".to_owned()), Just("{}".to_owned())],
    ];
    let list = prop::collection::vec(text.clone(), 0..3).prop_map(|texts| format!("[{}]", texts.join(", ")));
    let city = prop_oneof![Just("city"), Just("country_code"), Just("countryCode"), Just("cty")];
    let address = prop::collection::vec((city, text.clone()), 0..3).prop_map(|fields| {
        let fields: Vec<String> = fields.into_iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{ {} }}", fields.join(",\t"))
    });
    let entry = prop_oneof![
        4 => (prop_oneof![Just("display_name"), Just("displayName"), Just("description")], text),
        2 => (prop_oneof![Just("star_rating"), Just("starRating")], scalar.clone()),
        2 => (Just("amenities"), list),
        2 => (Just("address"), address),
        1 => (prop_oneof![Just("displayname"), Just(r"display\u005fname"), Just("description")], scalar),
    ];
    prop::collection::vec(entry, 0..4).prop_map(|entries| {
        let entries: Vec<String> = entries.into_iter().map(|(name, value)| format!("\"{name}\": {value}")).collect();
        format!("{{{}}}", entries.join(", ")).into_bytes()
    })
}

/// A document, in half of the cases with a byte or two changed.
fn near_document() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop::sample::select(b"'\"{}[],: \t\n\x0b\x0c\x00\x7f/\\u019-+.eE_na\xc3\xa9\xed\xa0\xff#".to_vec());
    let change = (any::<prop::sample::Index>(), 0..3_u8, byte);
    (document(), prop_oneof![Just(0_usize), Just(1), Just(1), Just(2)], prop::collection::vec(change, 2)).prop_map(
        |(mut text, changes, all)| {
            for (index, action, byte) in all.into_iter().take(changes) {
                let at = index.index(text.len().max(1));
                match action {
                    0 => text.insert(at, byte),
                    1 if !text.is_empty() => text[at] = byte,
                    _ if !text.is_empty() => drop(text.remove(at)),
                    _ => {}
                }
            }
            text
        },
    )
}

/// What the service must receive of a text field: nothing is the same as an empty text.
fn text_of(entries: &[(Option<String>, Json)], canonical: &str) -> String {
    let value = entries
        .iter()
        .find(|(name, _)| name.as_deref().and_then(hotel_field).is_some_and(|(name, _)| name == canonical));
    match value {
        Some((_, Json::Text(text))) => text.clone(),
        _ => String::new(),
    }
}

async fn compare(edge: &Edge, document: Vec<u8>) -> Result<bool> {
    let shown = String::from_utf8_lossy(&document).into_owned();
    let model = match serde_json::from_slice::<Json>(&document) {
        Ok(Json::Object(entries)) if is_valid(&entries, hotel_field) => Some(entries),
        _ => None,
    };
    // An empty body is an empty message.
    let model = if document.is_empty() { Some(Vec::new()) } else { model };
    let answer = edge.with_body(Method::POST, "/v1/hotels", document)?.send().await?;
    let (status, body) = (answer.status(), answer.text().await?);
    let Some(entries) = model else {
        ensure!(status == StatusCode::BAD_REQUEST, "{shown:?} is taken: {body}");
        ensure!(!body.contains("does not fit its field"), "{shown:?} came to the transcoder");
        return Ok(false);
    };
    ensure!(status == StatusCode::OK, "{shown:?} is refused: {body}");
    let received: Value = serde_json::from_str(&body)?;
    for field in ["display_name", "description"] {
        let seen = received[field].as_str().unwrap_or_default();
        ensure!(seen == text_of(&entries, field), "{shown:?}: the service received {seen:?} as {field}");
    }
    Ok(true)
}

#[tokio::test]
async fn edge_takes_exactly_the_documents_with_one_reading() -> Result<()> {
    let edge = Edge::with(|config| {
        config.limits.requests_per_second = 1_000_000;
        config.limits.burst = 1_000_000;
        config.addresses.address_requests_per_second = 1_000_000;
        config.addresses.address_burst = 1_000_000;
        config.addresses.logins_per_second = 1_000_000;
        config.addresses.login_burst = 1_000_000;
        config.addresses.sign_ups_per_second = 1_000_000;
        config.addresses.sign_up_burst = 1_000_000;
        config.addresses.tokens_per_second = 1_000_000;
        config.addresses.token_burst = 1_000_000;
        config.addresses.max_auth_body_bytes = 1_000_000;
    })
    .await?
    .with_keys()
    .await?;
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let documents: Vec<Vec<u8>> = (0..DOCUMENTS)
        .map(|_| near_document().new_tree(&mut runner).map(|tree| tree.current()))
        .collect::<Result<_, _>>()
        .map_err(anyhow::Error::msg)?;
    let taken: Vec<bool> = stream::iter(documents.into_iter().map(|document| compare(&edge, document)))
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
    let taken = taken.into_iter().filter(|taken| *taken).count();
    assert!((DOCUMENTS / 8..DOCUMENTS).contains(&taken), "{taken} of {DOCUMENTS} are taken");
    Ok(())
}
