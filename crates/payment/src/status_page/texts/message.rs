//! The messages of the status page.

macro_rules! messages {
    ($($name:ident)*) => {
        /// A text of the page, which every language has. `{name}` stands for a value.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(in crate::status_page) enum Message { $($name),* }

        /// Every message.
        pub(super) const ALL: &[Message] = &[$(Message::$name),*];
    };
}

/// How many messages there are: the number of texts that each language must have.
pub(super) const COUNT: usize = ALL.len();

messages! {
    TitleWaiting TitleCardDeclined TitlePreparing TitleCheckoutClosed TitleCancelled TitleHoldEnded TitleInReview
    TitleNotPaid TitleDeclined TitleArrived TitleConfirmed TitleTooLate TitleNoShow TitleUnclear TitleUnavailable
    NothingChargedWithCard TryAgainUntil NoPaymentYet PayUntil OpeningCheckout NotPaid Declined ArrivedConfirming
    ArrivedConfirmed ArrivedAfterHold ArrivedTooLate AllComesBack RoomsFree NoShow Unclear DoNotPayAgain CheckoutClosed
    CheckoutClosing InReview InReviewCancelled RoomsReleased IfPaidLate BookingClosing FreeBookAgain HoldEndedBookAgain
    CancelledNothingCharged PaidRefundUndetermined PaidNothingBack Paid NoPaymentYetKnown InReviewKnown EndedKnown
    ArrivedKnown LookUpFails RefundSentAndPending RefundPending RefundSent HoldEnding HeldUntil
    MinuteLeft MinutesLeft NextConfirmed NextUnpaid FreeUntil FreeAlways PenaltyUntil PenaltyAfter PenaltyAlways
    ChangePayable ChangeWaiting ChangeReceived ChangeApplied ChangeNotApplied ChangePaidTooLate
    YourBooking PayNow YourStay Hotel Address Room Arrival Departure Guests Price Booking Terms OneRoom Rooms
    AsOf RefreshNow Updating Languages
}
