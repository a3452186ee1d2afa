//! Error reasons: the stable, machine-readable causes of failed calls. Each has a page in `docs/errors/`; a test keeps
//! reasons and pages equal.

use tonic::Code;

/// The `domain` of every `google.rpc.ErrorInfo` of Staymesh: reasons are unique within it.
pub const ERROR_DOMAIN: &str = "staymesh";

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal, $code:ident;)+) => {
        /// Why a call failed: the `reason` of `google.rpc.ErrorInfo`. The text is part of the contract.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason { $($(#[doc = $doc])+ $name,)+ }

        impl Reason {
            /// All reasons.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The text that callers see, in `UPPER_SNAKE_CASE`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }

            /// The gRPC status code of a call that fails for this reason.
            pub const fn code(self) -> Code {
                match self { $(Self::$name => Code::$code),+ }
            }

            /// Whether the same request, repeated with its ids after a delay, may succeed.
            ///
            /// True for overload, quotas, outages and deadlines. False for errors of the request, of the caller and of state, and
            /// for defects.
            pub const fn is_retryable(self) -> bool {
                matches!(self.code(), Code::Unavailable | Code::ResourceExhausted | Code::DeadlineExceeded)
            }
        }
    };
}

reasons! {
    // Any service
    /// A field of the request is missing, malformed or out of bounds; `BadRequest` names it.
    InvalidField = "INVALID_FIELD", InvalidArgument;
    /// The call needs a token and has none, or one that is expired, malformed or not issued by this chain.
    Unauthenticated = "UNAUTHENTICATED", Unauthenticated;
    /// The login that the token belongs to has ended.
    TokenRevoked = "TOKEN_REVOKED", Unauthenticated;
    /// The role of the caller does not allow this call, or not for this hotel.
    AccessDenied = "ACCESS_DENIED", PermissionDenied;
    /// The token is of a role that calls the other gateway.
    WrongGateway = "WRONG_GATEWAY", PermissionDenied;
    /// The request id was used before, with other content.
    RequestIdReused = "REQUEST_ID_REUSED", FailedPrecondition;
    /// The resource has changed since the etag was read.
    EtagMismatch = "ETAG_MISMATCH", Aborted;
    /// Too many requests are in progress; try again after `RetryInfo`.
    Overloaded = "OVERLOADED", Unavailable;
    /// The deadline passed before the response; the change may or may not have happened, so repeat the same request.
    DeadlineExceeded = "DEADLINE_EXCEEDED", DeadlineExceeded;
    /// The database is unavailable; repeat the same request after `RetryInfo`.
    StoreUnavailable = "STORE_UNAVAILABLE", Unavailable;
    /// Another service is unavailable; try again after `RetryInfo`.
    DependencyUnavailable = "DEPENDENCY_UNAVAILABLE", Unavailable;
    /// A defect in Staymesh; the request id finds it in the log.
    Internal = "INTERNAL", Internal;

    // The edge
    /// The request does not fit the contract: unknown field, parameter or JSON that cannot be read.
    InvalidRequest = "INVALID_REQUEST", InvalidArgument;
    /// There is no such method or path.
    RouteNotFound = "ROUTE_NOT_FOUND", NotFound;
    /// The path exists, but not for this HTTP method; the header `Allow` names those there are.
    MethodNotAllowed = "METHOD_NOT_ALLOWED", Unimplemented;
    /// The method is served by the internal gateway only.
    InternalRoute = "INTERNAL_ROUTE", PermissionDenied;
    /// The caller exceeds its quota; try again after `Retry-After`.
    RateLimited = "RATE_LIMITED", ResourceExhausted;
    /// The body or the headers are too large.
    RequestTooLarge = "REQUEST_TOO_LARGE", InvalidArgument;

    // Identity
    /// The e-mail address has an account.
    EmailTaken = "EMAIL_TAKEN", AlreadyExists;
    /// Unknown address or client, or wrong password or secret. Deliberately one reason for all four.
    BadCredentials = "BAD_CREDENTIALS", Unauthenticated;
    /// Too many failed logins; try again after `RetryInfo`.
    LoginThrottled = "LOGIN_THROTTLED", ResourceExhausted;
    /// The refresh token is unknown, expired, used or revoked.
    RefreshTokenInvalid = "REFRESH_TOKEN_INVALID", Unauthenticated;
    /// The token of a mailed link is unknown, expired or used.
    MailTokenInvalid = "MAIL_TOKEN_INVALID", FailedPrecondition;
    /// There is no such account.
    UserNotFound = "USER_NOT_FOUND", NotFound;
    /// The client id is taken, by a registered or a deleted client.
    ClientExists = "CLIENT_EXISTS", AlreadyExists;
    /// There is no such client.
    ClientNotFound = "CLIENT_NOT_FOUND", NotFound;
    /// The request has issued a secret before, which is not shown again.
    ClientSecretExists = "CLIENT_SECRET_EXISTS", AlreadyExists;
    /// The client would have no valid secret, or more than two.
    ClientSecretLimit = "CLIENT_SECRET_LIMIT", FailedPrecondition;
    /// The client never had a secret with this id.
    ClientSecretNotFound = "CLIENT_SECRET_NOT_FOUND", NotFound;

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
    /// The room type has no rate.
    RateNotFound = "RATE_NOT_FOUND", NotFound;
    /// The amount is not in the currency of the hotel.
    CurrencyMismatch = "CURRENCY_MISMATCH", FailedPrecondition;
    /// A later cancellation would be cheaper than an earlier one.
    PolicyNotMonotone = "POLICY_NOT_MONOTONE", InvalidArgument;

    // Reservation
    /// A night of the stay has too few rooms left.
    RoomSoldOut = "ROOM_SOLD_OUT", FailedPrecondition;
    /// The room type is not for sale in a night of the stay, or has no rate.
    NotOnSale = "NOT_ON_SALE", FailedPrecondition;
    /// Staff have closed a night of the stay.
    StopSell = "STOP_SELL", FailedPrecondition;
    /// The hotel has no such block of a room that is out of order.
    OutOfOrderNotFound = "OUT_OF_ORDER_NOT_FOUND", NotFound;
    /// The hotel has no such group block.
    BlockNotFound = "BLOCK_NOT_FOUND", NotFound;
    /// The hotel has another group block with this code.
    BlockCodeTaken = "BLOCK_CODE_TAKEN", AlreadyExists;
    /// The cut-off of the group block has come: its rooms are on sale again.
    BlockReleased = "BLOCK_RELEASED", FailedPrecondition;
    /// The group block is tentative or cancelled.
    BlockNotDefinite = "BLOCK_NOT_DEFINITE", FailedPrecondition;
    /// Rooms of the group block are picked up.
    BlockHasPickUps = "BLOCK_HAS_PICK_UPS", FailedPrecondition;
    /// A child is younger than the hotel accepts.
    ChildTooYoung = "CHILD_TOO_YOUNG", FailedPrecondition;
    /// More adults than a room sleeps.
    TooManyAdults = "TOO_MANY_ADULTS", FailedPrecondition;
    /// More children than a room has places for beside its adults.
    TooManyChildren = "TOO_MANY_CHILDREN", FailedPrecondition;
    /// More guests than a room sleeps.
    TooManyGuests = "TOO_MANY_GUESTS", FailedPrecondition;
    /// The account holds too many unpaid rooms; pay, cancel, or try again after `RetryInfo`.
    TooManyUnpaidRooms = "TOO_MANY_UNPAID_ROOMS", ResourceExhausted;
    /// Too many unpaid rooms are held from the caller's network address; pay, or try again after `RetryInfo`.
    TooManyUnpaidRoomsFromAddress = "TOO_MANY_UNPAID_ROOMS_FROM_ADDRESS", ResourceExhausted;
    /// Too many rooms of a night are held unpaid by others; try again after `RetryInfo`.
    TooManyRoomsHeldUnpaid = "TOO_MANY_ROOMS_HELD_UNPAID", ResourceExhausted;
    /// The reservation id was used before with other content, or by another account.
    ReservationIdReused = "RESERVATION_ID_REUSED", FailedPrecondition;
    /// The change is based on a revision that is not the latest one of the reservation.
    RevisionMismatch = "REVISION_MISMATCH", Aborted;
    /// A change of the reservation waits for the payment of its difference.
    ChangePending = "CHANGE_PENDING", FailedPrecondition;
    /// The reservation is not paid for, has ended, or its stay has begun, so that it cannot be changed.
    ReservationNotChangeable = "RESERVATION_NOT_CHANGEABLE", FailedPrecondition;
    /// The account has another reservation with this client reference.
    ClientReferenceTaken = "CLIENT_REFERENCE_TAKEN", AlreadyExists;
    /// There is no such reservation, or it belongs to another account.
    ReservationNotFound = "RESERVATION_NOT_FOUND", NotFound;
    /// The offer token has expired; prepare again.
    OfferExpired = "OFFER_EXPIRED", FailedPrecondition;
    /// The offer token was not issued for this reservation id and caller.
    OfferTampered = "OFFER_TAMPERED", InvalidArgument;
    /// The reservation cannot change from its status to the requested one.
    IllegalTransition = "ILLEGAL_TRANSITION", FailedPrecondition;
    /// The cancellation would refund another amount than expected.
    CancelTermsChanged = "CANCEL_TERMS_CHANGED", FailedPrecondition;
    /// Too early or too late for a no-show: before `no_show_from` or after `no_show_until` of the cancellation terms.
    NoShowOutOfTime = "NO_SHOW_OUT_OF_TIME", FailedPrecondition;
    /// The penalty of the no-show is settled: the business day of its report has ended.
    NoShowSettled = "NO_SHOW_SETTLED", FailedPrecondition;
    /// Not a day on which the room can be checked in or left early, or its check-in can be undone.
    CheckInOutOfTime = "CHECK_IN_OUT_OF_TIME", FailedPrecondition;
    /// The room of the hotel has other guests in one of the nights.
    RoomAssigned = "ROOM_ASSIGNED", FailedPrecondition;
    /// The hotel checks in only guests who have a room of the hotel.
    RoomNotAssigned = "ROOM_NOT_ASSIGNED", FailedPrecondition;
    /// Guests cannot use the room of the hotel in one of the nights.
    RoomOutOfOrder = "ROOM_OUT_OF_ORDER", FailedPrecondition;
    /// The room of the hotel is of another type than the booked one.
    RoomOfOtherType = "ROOM_OF_OTHER_TYPE", FailedPrecondition;
    /// The hold has expired; the rooms are free again.
    HoldExpired = "HOLD_EXPIRED", FailedPrecondition;
    /// The new inventory is less than the rooms already reserved.
    InventoryBelowReserved = "INVENTORY_BELOW_RESERVED", FailedPrecondition;
    /// The amount is not the total of the reservation.
    AmountMismatch = "AMOUNT_MISMATCH", FailedPrecondition;

    // Payment
    /// There is no such payment, or it belongs to another account.
    PaymentNotFound = "PAYMENT_NOT_FOUND", NotFound;
    /// The payout does not exist, or belongs to a hotel that the caller may not see.
    PayoutNotFound = "PAYOUT_NOT_FOUND", NotFound;
    /// The reservation does not wait for a payment.
    ReservationNotPayable = "RESERVATION_NOT_PAYABLE", FailedPrecondition;
    /// The change of a reservation does not wait for a payment.
    ChangeNotPending = "CHANGE_NOT_PENDING", FailedPrecondition;
    /// The refund exceeds what is left of the payment.
    RefundExceedsPayment = "REFUND_EXCEEDS_PAYMENT", FailedPrecondition;
    /// The reservation has ended, and what its policy gives back is not settled yet; try again after `RetryInfo`.
    SettlementPending = "SETTLEMENT_PENDING", Unavailable;
    /// The sale would make a partner who collects owe more than its credit limit.
    PartnerCreditExceeded = "PARTNER_CREDIT_EXCEEDED", FailedPrecondition;
    /// The payment of a partner is more than it owes.
    PartnerPaymentExceedsDebt = "PARTNER_PAYMENT_EXCEEDS_DEBT", FailedPrecondition;
    /// The payment provider is unavailable; try again after `RetryInfo`.
    PspUnavailable = "PSP_UNAVAILABLE", Unavailable;
    /// There is no such reconciliation case.
    CaseNotFound = "CASE_NOT_FOUND", NotFound;
    /// The reconciliation case is resolved.
    CaseResolved = "CASE_RESOLVED", FailedPrecondition;
    /// The reconciliation case has no action that can be replayed.
    NoReplay = "NO_REPLAY", FailedPrecondition;
    /// The webhook is of a payment provider that is unknown or not configured.
    WebhookNotFound = "WEBHOOK_NOT_FOUND", NotFound;
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
    fn reasons_and_error_pages_are_equal() {
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
