//! The stable error reasons of the API. Each has a page in `docs/errors/`; a test keeps the two equal.

use tonic::Code;

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal, $code:ident;)+) => {
        /// Why a call failed: the `reason` of `google.rpc.ErrorInfo`. Callers may rely on the text.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason { $($(#[doc = $doc])+ $name,)+ }

        impl Reason {
            /// Every reason there is.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The text that callers see.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }

            /// The gRPC code that goes with it.
            pub const fn code(self) -> Code {
                match self { $(Self::$name => Code::$code),+ }
            }
        }
    };
}

reasons! {
    // Any service
    /// A field of the request is missing, malformed or out of bounds; `BadRequest` names it.
    InvalidField = "INVALID_FIELD", InvalidArgument;
    /// The call needs a token and has none, or one that is expired, malformed or not ours.
    Unauthenticated = "UNAUTHENTICATED", Unauthenticated;
    /// The login that the token belongs to has ended.
    TokenRevoked = "TOKEN_REVOKED", Unauthenticated;
    /// The caller may not do this, or not to this hotel.
    AccessDenied = "ACCESS_DENIED", PermissionDenied;
    /// The same request id came before with other content.
    RequestIdReused = "REQUEST_ID_REUSED", FailedPrecondition;
    /// Somebody else changed it since the etag was read.
    EtagMismatch = "ETAG_MISMATCH", Aborted;
    /// Too many requests are in progress; try again after `RetryInfo`.
    Overloaded = "OVERLOADED", Unavailable;
    /// The answer was not ready in time; whether something changed is unknown, so repeat the same request.
    DeadlineExceeded = "DEADLINE_EXCEEDED", DeadlineExceeded;
    /// The database is away; nothing changed that was not answered. Try again after `RetryInfo`.
    StoreUnavailable = "STORE_UNAVAILABLE", Unavailable;
    /// Another service is away; try again after `RetryInfo`.
    DependencyUnavailable = "DEPENDENCY_UNAVAILABLE", Unavailable;
    /// A defect of ours; the request id finds it in the log.
    Internal = "INTERNAL", Internal;

    // The edge
    /// The request does not fit the contract: unknown field, parameter or JSON that cannot be read.
    InvalidRequest = "INVALID_REQUEST", InvalidArgument;
    /// There is no such method or path.
    RouteNotFound = "ROUTE_NOT_FOUND", NotFound;
    /// Only the internal gateway serves this.
    InternalRoute = "INTERNAL_ROUTE", PermissionDenied;
    /// The caller sends more than its quota; try again after `Retry-After`.
    RateLimited = "RATE_LIMITED", ResourceExhausted;
    /// The body or the headers are too large.
    RequestTooLarge = "REQUEST_TOO_LARGE", InvalidArgument;

    // Identity
    /// The address has an account.
    EmailTaken = "EMAIL_TAKEN", AlreadyExists;
    /// Unknown address or client, wrong password or secret: which, is not said.
    BadCredentials = "BAD_CREDENTIALS", Unauthenticated;
    /// Too many failed logins; try again after `RetryInfo`.
    LoginThrottled = "LOGIN_THROTTLED", ResourceExhausted;
    /// The refresh token is unknown, expired, used or revoked.
    RefreshTokenInvalid = "REFRESH_TOKEN_INVALID", Unauthenticated;
    /// There is no such account.
    UserNotFound = "USER_NOT_FOUND", NotFound;
    /// The client id is registered.
    ClientExists = "CLIENT_EXISTS", AlreadyExists;
    /// There is no such client.
    ClientNotFound = "CLIENT_NOT_FOUND", NotFound;

    // Hotel
    /// There is no such hotel.
    HotelNotFound = "HOTEL_NOT_FOUND", NotFound;
    /// The hotel has no such room type.
    RoomTypeNotFound = "ROOM_TYPE_NOT_FOUND", NotFound;
    /// The hotel has no such room.
    RoomNotFound = "ROOM_NOT_FOUND", NotFound;
    /// The hotel has another room type of this name.
    RoomTypeNameTaken = "ROOM_TYPE_NAME_TAKEN", AlreadyExists;
    /// The hotel has another room of this number.
    RoomNumberTaken = "ROOM_NUMBER_TAKEN", AlreadyExists;
    /// The room type has rooms; delete those first.
    RoomTypeHasRooms = "ROOM_TYPE_HAS_ROOMS", FailedPrecondition;
    /// Nights from today on are reserved.
    HasFutureReservations = "HAS_FUTURE_RESERVATIONS", FailedPrecondition;

    // Rate
    /// Nobody has set a rate for the room type.
    RateNotFound = "RATE_NOT_FOUND", NotFound;
    /// The amount is not in the currency of the hotel.
    CurrencyMismatch = "CURRENCY_MISMATCH", FailedPrecondition;

    // Reservation
    /// A night of the stay has too few rooms left.
    RoomSoldOut = "ROOM_SOLD_OUT", FailedPrecondition;
    /// The room type is not for sale in a night of the stay, or has no rate.
    NotOnSale = "NOT_ON_SALE", FailedPrecondition;
    /// More guests than may sleep in the rooms.
    TooManyGuests = "TOO_MANY_GUESTS", FailedPrecondition;
    /// The account holds too many rooms that are not paid for; pay, cancel, or try again after `RetryInfo`.
    TooManyUnpaidRooms = "TOO_MANY_UNPAID_ROOMS", ResourceExhausted;
    /// The reservation id came before with other content, or belongs to somebody else.
    ReservationIdReused = "RESERVATION_ID_REUSED", FailedPrecondition;
    /// There is no such reservation, or it is somebody else's.
    ReservationNotFound = "RESERVATION_NOT_FOUND", NotFound;
    /// The offer token has expired; prepare again.
    OfferExpired = "OFFER_EXPIRED", FailedPrecondition;
    /// The offer token is not one that was given for this reservation id and caller.
    OfferTampered = "OFFER_TAMPERED", InvalidArgument;
    /// The reservation cannot go from its state to the one asked for.
    IllegalTransition = "ILLEGAL_TRANSITION", FailedPrecondition;
    /// Guests may still come, or should have left by now: a no-show is reported in between.
    NoShowOutOfTime = "NO_SHOW_OUT_OF_TIME", FailedPrecondition;
    /// The hold has expired; the rooms are free again.
    HoldExpired = "HOLD_EXPIRED", FailedPrecondition;
    /// Fewer rooms than are sold already.
    InventoryBelowReserved = "INVENTORY_BELOW_RESERVED", FailedPrecondition;
    /// The amount is not the total of the reservation.
    AmountMismatch = "AMOUNT_MISMATCH", FailedPrecondition;

    // Payment
    /// There is no such payment, or it is somebody else's.
    PaymentNotFound = "PAYMENT_NOT_FOUND", NotFound;
    /// The hotel has no such pay-out.
    PayOutNotFound = "PAY_OUT_NOT_FOUND", NotFound;
    /// The reservation does not wait for a payment.
    ReservationNotPayable = "RESERVATION_NOT_PAYABLE", FailedPrecondition;
    /// More than what is left of the payment.
    RefundExceedsPayment = "REFUND_EXCEEDS_PAYMENT", FailedPrecondition;
    /// The payment provider is away; try again after `RetryInfo`.
    PspUnavailable = "PSP_UNAVAILABLE", Unavailable;
    /// There is no such reconciliation case.
    CaseNotFound = "CASE_NOT_FOUND", NotFound;
    /// The reconciliation case is over.
    CaseResolved = "CASE_RESOLVED", FailedPrecondition;
    /// Nothing can be done again about the reconciliation case.
    NoReplay = "NO_REPLAY", FailedPrecondition;
    /// The signature of the event is missing or wrong.
    WebhookSignatureInvalid = "WEBHOOK_SIGNATURE_INVALID", Unauthenticated;
    /// The event was signed too long ago.
    WebhookTooOld = "WEBHOOK_TOO_OLD", Unauthenticated;
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn reasons_are_upper_snake_and_unique() {
        let mut seen = HashSet::new();
        for reason in Reason::ALL {
            let text = reason.as_str();
            assert!(text.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'), "{text}");
            assert!(seen.insert(text), "{text} twice");
        }
    }

    #[test]
    fn every_reason_has_a_page_and_every_page_a_reason() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/errors");
        let mut pages: HashSet<String> = std::fs::read_dir(folder)
            .expect("docs/errors exists")
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| name != "README.md")
            .map(|name| name.trim_end_matches(".md").to_owned())
            .collect();
        for reason in Reason::ALL {
            assert!(pages.remove(reason.as_str()), "docs/errors/{}.md is missing", reason.as_str());
        }
        assert!(pages.is_empty(), "pages without a reason: {pages:?}");
    }
}
