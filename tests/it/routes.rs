//! Every route of the API through the real Envoy, with its success and its refusals (R4-R6, R24).
//!
//! Who may call what is one table in `access`, which must have every route of the contract. The other files are by
//! subject: what a success looks like to the letter, and each refusal with its HTTP status, its reason and the field
//! that it names.

mod access;
mod accounts;
mod clients;
mod closing;
mod finance;
mod hidden;
mod hotels;
mod inventory;
mod logins;
mod no_shows;
mod pay_outs;
mod payments;
mod prices;
mod requests;
mod reservations;
mod rooms;
mod stays;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::support::Rest;

/// An id that no hotel, room type or room has.
const NOBODYS_ID: i32 = 2_000_000_000;

/// The body with these fields instead of its own; `null` takes a field away.
fn with(body: &Value, changes: &Value) -> Value {
    let mut result = body.clone();
    let fields = result.as_object_mut().expect("an object");
    for (name, value) in changes.as_object().expect("an object") {
        if value.is_null() {
            fields.remove(name);
        } else {
            fields.insert(name.clone(), value.clone());
        }
    }
    result
}

#[track_caller]
fn assert_just_now(time: &Value) {
    let age = Timestamp::now().duration_since(time.as_str().expect("a text").parse().expect("a time"));
    assert!(age.abs() < SignedDuration::from_mins(1), "{time}");
}

/// What a list has under this name, over all its pages of this size. `path` has a query already.
async fn all_pages(caller: &Rest, path: &str, name: &str, page_size: usize) -> Vec<Value> {
    let mut all = Vec::new();
    let mut token = String::new();
    loop {
        let page = caller.get(&format!("{path}&page_size={page_size}&page_token={token}")).await.ok();
        let rows = page[name].as_array().expect("a list");
        assert!(rows.len() <= page_size, "{page}");
        all.extend(rows.iter().cloned());
        page["next_page_token"].as_str().expect("a token").clone_into(&mut token);
        if token.is_empty() {
            return all;
        }
        assert_eq!(rows.len(), page_size, "a page that is not the last is full");
    }
}
