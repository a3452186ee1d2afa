//! Every REST route through a real Envoy, with its success and its errors (R4-R6, R24).
//!
//! Access is one table in `access`, which must have every route of the contract. The other files are by resource: the
//! exact body of a success, and each error with its HTTP status, reason and field.

mod access;
mod accounts;
mod bindings;
mod bookings;
mod clients;
mod deletion;
mod finance;
mod front_desk;
mod group_blocks;
mod guests;
mod hotels;
mod internal;
mod invalid_fields;
mod inventory;
mod logins;
mod no_shows;
mod oauth;
mod oauth_clients;
mod out_of_order;
mod parties;
mod payments;
mod payouts;
mod prices;
mod request_ids;
mod requests;
mod reservations;
mod room_assignments;
mod rooms;
mod several_rooms;
mod stays;
mod stop_sell;
mod texts;
mod walk_ins;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::support::Rest;

/// An id of no hotel, room type or room.
const NOBODYS_ID: i32 = 2_000_000_000;

/// The body with these fields replaced; `null` removes a field.
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

/// A list with more pages than this does not end.
const MAX_PAGES: usize = 1000;

/// All rows of a list under `name`, read in pages of this size. `path` has a query already.
async fn all_pages(caller: &Rest, path: &str, name: &str, page_size: usize) -> Vec<Value> {
    let mut all = Vec::new();
    let mut token = String::new();
    for _ in 0..MAX_PAGES {
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
    panic!("{path} has more than {MAX_PAGES} pages");
}
