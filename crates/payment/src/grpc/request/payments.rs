//! Requests about payments.

use reqwest::Url;
use staymesh_api::payment::v1::{self as proto, CreatePaymentRequest, ListPaymentsRequest, RefundPaymentRequest};
use staymesh_domain::{FieldError, FieldErrors, HotelId, Money, Page, PaymentId, ReservationId, parse_request_id};
use staymesh_mesh::{Problem, proto_types::money_from};
use uuid::Uuid;

use crate::model::{BOOKING, Status, StatusFilter};

/// Longest return URL, in characters.
const MAX_RETURN_URL: usize = 2000;

/// The reservation and its revision to pay, and the return URL, which is empty or valid.
pub(in crate::grpc) fn create(request: CreatePaymentRequest) -> Result<(ReservationId, i32, String), Problem> {
    let mut errors = FieldErrors::default();
    let id = errors.value(request.reservation_id.parse::<ReservationId>());
    errors.value(validate_return_url(&request.return_url));
    errors.holds(request.revision >= 0, "revision", "must not be negative");
    Ok((errors.complete(id)?, request.revision.max(BOOKING), request.return_url))
}

/// The hotel, the optional status filter and the page.
pub(in crate::grpc) fn list(
    request: &ListPaymentsRequest,
) -> Result<(HotelId, Option<StatusFilter>, Page<Uuid>), Problem> {
    let mut errors = FieldErrors::default();
    let hotel_id = errors.value(HotelId::try_from(request.hotel_id));
    let status = errors.value(status_filter(request.status));
    let filters = [&*request.hotel_id.to_string(), &*request.status.to_string()];
    let page = Page::collect(&mut errors, request.page_size, &request.page_token, &filters);
    let ((hotel_id, status), page) = errors.complete(hotel_id.zip(status).zip(page))?;
    Ok((hotel_id, status, page))
}

/// A refund to request.
pub(in crate::grpc) struct RefundInput {
    /// The payment.
    pub(in crate::grpc) payment_id: PaymentId,
    /// The amount, which is positive if given.
    pub(in crate::grpc) amount: Option<Money>,
    /// Whether it is on top of the cancellation policy.
    pub(in crate::grpc) goodwill: bool,
    /// The idempotency key.
    pub(in crate::grpc) request_id: Uuid,
}

/// A refund to request.
pub(in crate::grpc) fn refund(request: &RefundPaymentRequest) -> Result<RefundInput, Problem> {
    let mut errors = FieldErrors::default();
    let payment_id = errors.value(request.payment_id.parse::<PaymentId>());
    let amount = request.amount.as_ref().and_then(|amount| errors.value(money_from(Some(amount), "amount")));
    errors.holds(amount.is_none_or(|amount| amount.minor() > 0), "amount.amount", "must be more than zero");
    let request_id = errors.value(parse_request_id(&request.request_id));
    let (payment_id, request_id) = errors.complete(payment_id.zip(request_id))?;
    Ok(RefundInput { payment_id, amount, goodwill: request.goodwill, request_id })
}

/// The status to filter by; `None` if unspecified.
fn status_filter(number: i32) -> Result<Option<StatusFilter>, FieldError> {
    let wanted =
        proto::PaymentStatus::try_from(number).map_err(|_| FieldError::new("status", "is not a known status"))?;
    let (status, in_part) = match wanted {
        proto::PaymentStatus::Unspecified => return Ok(None),
        proto::PaymentStatus::Pending => (Status::Pending, None),
        proto::PaymentStatus::Paid => (Status::Paid, None),
        proto::PaymentStatus::Failed => (Status::Failed, None),
        proto::PaymentStatus::Expired => (Status::Expired, None),
        proto::PaymentStatus::Refunding => (Status::Refunding, None),
        proto::PaymentStatus::PartiallyRefunded => (Status::Refunded, Some(true)),
        proto::PaymentStatus::Refunded => (Status::Refunded, Some(false)),
    };
    Ok(Some(StatusFilter { status, in_part }))
}

/// Accepts an empty text, or an http or https URL without credentials, in visible ASCII.
fn validate_return_url(text: &str) -> Result<(), FieldError> {
    if text.is_empty() {
        return Ok(());
    }
    if text.chars().count() > MAX_RETURN_URL {
        return Err(FieldError::new("return_url", format!("must be at most {MAX_RETURN_URL} characters")));
    }
    // Checked before parsing: the parser drops line breaks and tabs, as browsers do.
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic());
    let parsed = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let without_credentials = parsed.is_some_and(|url| url.username().is_empty() && url.password().is_none());
    if plain && without_credentials {
        return Ok(());
    }
    Err(FieldError::new("return_url", "must be an http or https URL, without a user name, in ASCII"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn return_url_is_empty_or_http_without_credentials() {
        for good in ["", "https://hotel.example/thanks?x=1#y", "http://localhost:3000/"] {
            assert_eq!(validate_return_url(good), Ok(()), "{good}");
        }
        let long = format!("https://a/{}", "x".repeat(2000));
        for bad in [
            "javascript:alert(1)",
            "data:text/html,x",
            "ftp://a/",
            "//a",
            "/a",
            "a",
            "https://",
            "https://u:p@a/",
            "https://a/\r\nx: y",
            "java\tscript:x",
            "https://ä/",
            " https://a/",
            &long,
        ] {
            assert_eq!(validate_return_url(bad).unwrap_err().field, "return_url", "{bad}");
        }
    }

    proptest! {
        #[test]
        fn return_url_validation_never_panics(text in ".*") {
            let _ = validate_return_url(&text);
        }
    }
}
