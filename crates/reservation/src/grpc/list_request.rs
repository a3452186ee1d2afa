//! Parses requests for lists of reservations: filters, and cursors of changes.

use jiff::{Timestamp, ToSpan, civil::Date};
use staymesh_api::reservation::v1 as proto;
use staymesh_domain::{DateRangeError, FieldError, FieldErrors, HotelId, Page, parse_date};
use staymesh_mesh::{Caller, Problem, auth::Role, proto_types::optional_time};
use tonic::Status as GrpcStatus;

use super::request::{client_reference, refuse, status_filter};
use crate::{
    service::list_scope,
    store::{ChangePosition, ChangeScope, ListFilter, ListPosition, StayFilter},
};

/// Longest range of dates, in days: it bounds the reservations that are sorted.
const MAX_DAYS: i32 = 100;
/// Most nights of a stay.
const MAX_NIGHTS: i32 = 90;

/// A page of a list in the order of creation.
pub(super) struct ListRequest {
    pub(super) filter: ListFilter,
    pub(super) page: Page<ListPosition>,
    /// Whose changes can be followed; `None` for guests.
    pub(super) changes: Option<Changes>,
}

/// Whose changes are followed.
pub(super) struct Changes {
    pub(super) scope: ChangeScope,
    /// What a cursor is bound to.
    bound: [String; 3],
}

impl Changes {
    /// Of the caller, in one hotel or in all; `None` for guests.
    fn of(owner: Option<&String>, hotel_id: Option<HotelId>, role: Role) -> Option<Self> {
        let scope = match (owner, hotel_id) {
            (None, Some(hotel_id)) => ChangeScope::Hotel(hotel_id),
            (Some(owner), hotel_id) if role == Role::Partner => ChangeScope::Partner(owner.clone(), hotel_id),
            _ => return None,
        };
        let hotel_id = hotel_id.map(|id| id.to_string()).unwrap_or_default();
        let bound = ["changes".to_owned(), owner.cloned().unwrap_or_default(), hotel_id];
        Some(Self { scope, bound })
    }

    /// A cursor that continues after this position.
    pub(super) fn cursor(&self, position: ChangePosition) -> String {
        Page::<ChangePosition>::token(&position, &self.bound.each_ref().map(String::as_str))
    }
}

/// Parses a request for a list in the order of creation.
///
/// # Errors
/// That the caller may not read the list, or every invalid field.
pub(super) fn list(caller: &Caller, message: &proto::ListReservationsRequest) -> Result<ListRequest, GrpcStatus> {
    let (owner, scope) = list_scope(caller, (message.hotel_id != 0).then_some(message.hotel_id))?;
    let mut errors = FieldErrors::default();
    let hotel_id = scope.and_then(|id| errors.value(HotelId::try_from(id)));
    let status = errors.value(status_filter(message.status));
    let client_reference = client_reference(&mut errors, message.client_reference.as_deref());
    let for_owner = message.client_reference.is_none() || owner.is_some();
    errors.holds(for_owner, "client_reference", "is a filter for the account that made the reservation");
    let stays = stays(&mut errors, message);
    errors.holds(stays.is_none() || message.hotel_id != 0, "hotel_id", "is required with dates");
    let created_from = errors.value(optional_time(message.create_time_from, "create_time_from")).flatten();
    let created_until = errors.value(optional_time(message.create_time_until, "create_time_until")).flatten();
    let time = |time: Option<Timestamp>| time.map(|time| time.to_string()).unwrap_or_default();
    let bound = [
        owner.clone().unwrap_or_default(),
        hotel_id.map(|id| id.to_string()).unwrap_or_default(),
        message.status.to_string(),
        format!("{stays:?}"),
        time(created_from),
        time(created_until),
        client_reference.clone().unwrap_or_default(),
    ];
    let bound = bound.each_ref().map(String::as_str);
    let page = Page::<ListPosition>::collect(&mut errors, message.page_size, &message.page_token, &bound);
    let (status, page) = errors.complete(status.zip(page)).map_err(refuse)?;
    let changes = Changes::of(owner.as_ref(), hotel_id, caller.role);
    Ok(ListRequest {
        filter: ListFilter { owner, hotel_id, status, client_reference, stays, created_from, created_until },
        page,
        changes,
    })
}

/// Parses a request for the changes since a cursor, which is the position of its page.
///
/// # Errors
/// That the caller may not follow changes, or every invalid field.
pub(super) fn changed(
    caller: &Caller,
    message: &proto::ListReservationsRequest,
) -> Result<(Changes, Page<ChangePosition>), GrpcStatus> {
    let (owner, scope) = list_scope(caller, (message.hotel_id != 0).then_some(message.hotel_id))?;
    let mut errors = FieldErrors::default();
    let hotel_id = scope.and_then(|id| errors.value(HotelId::try_from(id)));
    let alone = proto::ListReservationsRequest {
        hotel_id: message.hotel_id,
        page_size: message.page_size,
        changed_since: message.changed_since.clone(),
        ..Default::default()
    };
    errors.holds(*message == alone, "changed_since", "combines with hotel_id and page_size alone");
    let changes = errors.value(
        Changes::of(owner.as_ref(), hotel_id, caller.role)
            .ok_or_else(|| FieldError::new("changed_since", "is for hotels and partners")),
    );
    let page = changes.and_then(|changes| {
        let bound = changes.bound.each_ref().map(String::as_str);
        let page = Page::parse(message.page_size, &message.changed_since, &bound);
        let at = |error: staymesh_domain::PageError| match error.field() {
            "page_token" => {
                FieldError::new("changed_since", "must be the change_cursor of an answer for the same hotel_id")
            }
            _ => error.into(),
        };
        let page = errors.value(page.map_err(at))?;
        Some((changes, page))
    });
    errors.complete(page).map_err(refuse)
}

/// A cursor that this database has not handed out in its present history.
pub(super) fn unknown_cursor() -> GrpcStatus {
    let text = "is of before a failover or a restore of the database, and changes may be missing after it; list the \
                reservations again and continue with the change_cursor of the first page";
    refuse(Problem::field("changed_since", text))
}

/// Parses the ranges of dates; `None` without any. A range that is not given follows from the other and from the longest stay.
fn stays(errors: &mut FieldErrors, message: &proto::ListReservationsRequest) -> Option<StayFilter> {
    let check_in =
        range(errors, ("check_in_from", &message.check_in_from), ("check_in_until", &message.check_in_until));
    let check_out =
        range(errors, ("check_out_from", &message.check_out_from), ("check_out_until", &message.check_out_until));
    let later = |(from, until): (Date, Date)| (from, until.saturating_add(MAX_NIGHTS.days()));
    let earlier = |(from, until): (Date, Date)| (from.saturating_sub(MAX_NIGHTS.days()), until);
    match (check_in, check_out) {
        (None, None) => None,
        (Some(check_in), check_out) => {
            Some(StayFilter { check_in, check_out: check_out.unwrap_or_else(|| later(check_in)) })
        }
        (None, Some(check_out)) => Some(StayFilter { check_in: earlier(check_out), check_out }),
    }
}

/// Parses a range of dates, with its first date and the date after its last; `None` without both.
fn range(errors: &mut FieldErrors, from: (&str, &str), until: (&str, &str)) -> Option<(Date, Date)> {
    if from.1.is_empty() && until.1.is_empty() {
        return None;
    }
    let date = |errors: &mut FieldErrors, (field, text): (&str, &str)| {
        errors.value(parse_date(text).map_err(|error| FieldError::new(field, error.to_string())))
    };
    let (first, after) = date(errors, from).zip(date(errors, until))?;
    let days = (after - first).get_days();
    errors.holds(days >= 1, until.0, DateRangeError::Empty.to_string());
    errors.holds(days <= MAX_DAYS, until.0, format!("must be at most {MAX_DAYS} days after {}", from.0));
    Some((first, after))
}
