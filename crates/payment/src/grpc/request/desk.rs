//! Requests of the desk: payments that staff took, and refunds that they gave.

use staymesh_api::payment::v1::{self as proto, RecordDeskPaymentRequest, RecordDeskRefundRequest};
use staymesh_domain::{FieldError, FieldErrors, PaymentId, ReservationId, Text, has_card_number};
use staymesh_mesh::{Problem, proto_types::money_from};
use uuid::Uuid;

use crate::model::{BOOKING, DeskPayment, PaymentMethod};

/// The reservation and what was taken for it.
pub(in crate::grpc) fn payment(request: &RecordDeskPaymentRequest) -> Result<(ReservationId, DeskPayment), Problem> {
    let mut errors = FieldErrors::default();
    let id = errors.value(request.reservation_id.parse::<ReservationId>());
    errors.holds(request.revision >= 0, "revision", "must not be negative");
    let method = errors.value(method(request.method));
    let amount = errors.value(money_from(request.amount.as_ref(), "amount"));
    let reference = errors.value(reference(&request.reference));
    let ((id, method), (amount, reference)) = errors.complete(id.zip(method).zip(amount.zip(reference)))?;
    Ok((id, DeskPayment { revision: request.revision.max(BOOKING), method, amount, reference }))
}

/// The payment, its refund and the number of the receipt.
pub(in crate::grpc) fn refund(request: &RecordDeskRefundRequest) -> Result<(PaymentId, Uuid, Option<String>), Problem> {
    let mut errors = FieldErrors::default();
    let id = errors.value(request.payment_id.parse::<PaymentId>());
    let refund_id = request.refund_id.parse::<Uuid>();
    let refund_id = errors.value(refund_id.map_err(|_| FieldError::new("refund_id", "must be a UUID")));
    let reference = errors.value(reference(&request.reference));
    let ((id, refund_id), reference) = errors.complete(id.zip(refund_id).zip(reference))?;
    Ok((id, refund_id, reference))
}

/// How the desk took the money.
fn method(number: i32) -> Result<PaymentMethod, FieldError> {
    match proto::PaymentMethod::try_from(number) {
        Ok(proto::PaymentMethod::Cash) => Ok(PaymentMethod::Cash),
        Ok(proto::PaymentMethod::CardTerminal) => Ok(PaymentMethod::CardTerminal),
        Ok(proto::PaymentMethod::Unspecified | proto::PaymentMethod::Provider) | Err(_) => {
            Err(FieldError::new("method", "must be CASH or CARD_TERMINAL"))
        }
    }
}

/// A number of a receipt; `None` if it is empty. Its own text is not repeated in the error.
fn reference(text: &str) -> Result<Option<String>, FieldError> {
    if text.is_empty() {
        return Ok(None);
    }
    let reference = Text::line(text, 1..=64).map_err(|error| error.at("reference"))?;
    if has_card_number(&reference.key()) {
        return Err(FieldError::new("reference", "must not contain the number of a card"));
    }
    Ok(Some(reference.into_string()))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::none("", Ok(None))]
    #[case::slip("T-0042/7", Ok(Some("T-0042/7")))]
    #[case::card("4242 4242 4242 4242", Err(()))]
    #[case::card_within("slip 4242-4242-4242-4242", Err(()))]
    #[case::full_width_digits("\u{ff14}242424242424242", Err(()))]
    #[case::not_luhn("4242424242424241", Ok(Some("4242424242424241")))]
    #[case::two_lines("a\nb", Err(()))]
    fn reference_is_short_text_without_the_number_of_a_card(
        #[case] text: &str,
        #[case] expected: Result<Option<&str>, ()>,
    ) {
        let read = reference(text).map_err(|error| assert_eq!(error.field, "reference"));
        assert_eq!(read.as_ref().map(Option::as_deref), expected.as_ref().map(|known| *known));
        assert!(reference(&"7".repeat(65)).is_err());
    }
}
