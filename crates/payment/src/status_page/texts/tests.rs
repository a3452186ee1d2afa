use staymesh_domain::Language;

use super::{
    super::stage::{
        stage,
        tests::{BOOKINGS, BookingCase as B, NOW, PAYMENTS, PaymentCase as P, booking_in, payment},
    },
    *,
};

fn render(state: P, booking: B) -> (PageText, String) {
    let payment = payment(state);
    let current = stage(&payment, booking_in(booking).as_ref(), NOW).expect("a stage");
    let rendered = text_of(&current, &payment, None, &Words::new(Language::English, None), NOW);
    let text = format!("{} {}", rendered.title, rendered.paragraphs.join(" ")).to_lowercase();
    (rendered, text)
}

/// Every combination of payment and reservation, and whether the payment was paid.
fn all_cases() -> impl Iterator<Item = (P, B, bool)> {
    let money = |state| matches!(state, P::Paid | P::PaidSettled | P::Refunding | P::Refunded);
    PAYMENTS.into_iter().flat_map(move |state| BOOKINGS.map(|booking| (state, booking, money(state))))
}

#[test]
fn texts_state_only_true_facts_about_money() {
    for (state, booking, money) in all_cases() {
        let (_, text) = render(state, booking);
        let ended = matches!(state, P::Failed | P::Expired);
        let case = format!("{state:?} {booking:?}: {text}");
        if text.contains("nothing was charged.") {
            assert!(ended && !money, "{case}");
        }
        if text.contains("has arrived") || text.contains("you had paid") {
            assert!(money, "{case}");
        }
        if text.contains("sent back to you") {
            assert_eq!(state, P::Refunded, "{case}");
        }
        if text.contains("on its way back") {
            assert_eq!(state, P::Refunding, "{case}");
        }
        if text.contains("nothing of it comes back") {
            assert!(state == P::PaidSettled && matches!(booking, B::Cancelled | B::NoShow), "{case}");
        }
        if text.contains("nobody came") {
            assert!(money && booking == B::NoShow, "{case}");
        }
    }
}

#[test]
fn texts_state_only_true_facts_about_rooms() {
    for (state, booking, _) in all_cases() {
        let (page, text) = render(state, booking);
        let case = format!("{state:?} {booking:?}: {text}");
        if text.contains("rooms are yours") || page.title == "Paid and confirmed" {
            assert_eq!(booking, B::Paid, "{case}");
        }
        if text.contains("held for you until") {
            assert_eq!(booking, B::Held, "{case}");
        }
        if text.contains("are free again") || text.contains("free for others again") {
            assert!(!matches!(booking, B::Held | B::Paid | B::Unknown), "{case}");
        }
        if page.title == "Cancelled" {
            assert!(matches!(booking, B::Cancelled | B::RefundedCancelled), "{case}");
        }
        assert_eq!(booking == B::Unknown, page.title == "Your booking cannot be looked up right now", "{case}");
    }
}

#[test]
fn only_an_open_checkout_is_linked_and_paid_guests_are_not_asked_to_pay() {
    for (state, booking, money) in all_cases() {
        let (page, text) = render(state, booking);
        let case = format!("{state:?} {booking:?}: {text}");
        let open = matches!(state, P::Open | P::Declined) && booking == B::Held;
        assert_eq!(page.payable, open, "{case}");
        assert_eq!(text.contains("try again"), open && state == P::Declined, "{case}");
        assert!(!text.contains("book once more") || !money, "{case}");
        if state == P::InReview && !matches!(booking, B::Paid | B::Rejected | B::Unknown) {
            assert!(text.contains("checking your payment") || text.contains("do not fit"), "{case}");
        }
    }
}

#[test]
fn page_refreshes_until_state_is_final() {
    let final_states = [
        (P::Paid, B::Paid),
        (P::PaidSettled, B::Paid),
        (P::Failed, B::Rejected),
        (P::Expired, B::Rejected),
        (P::Refunded, B::Rejected),
        (P::Failed, B::HoldExpired),
        (P::Expired, B::HoldExpired),
        (P::Refunded, B::HoldExpired),
        (P::Failed, B::Cancelled),
        (P::Expired, B::Cancelled),
        (P::PaidSettled, B::Cancelled),
        (P::Refunded, B::Cancelled),
        (P::PaidSettled, B::NoShow),
        (P::Refunded, B::NoShow),
        (P::Refunded, B::RefundedCancelled),
        (P::Refunded, B::RefundedHoldExpired),
    ];
    for (state, booking, _) in all_cases() {
        let (page, text) = render(state, booking);
        assert_eq!(
            page.refresh_seconds.is_none(),
            final_states.contains(&(state, booking)),
            "{state:?} {booking:?}: {text}"
        );
    }
}

#[test]
fn time_left_is_shown_while_the_guest_can_pay() {
    for (state, booking, _) in all_cases() {
        let (page, _) = render(state, booking);
        assert_eq!(page.time_left.is_some(), page.payable, "{state:?} {booking:?}");
    }
    assert_eq!(render(P::Open, B::Held).0.time_left.as_deref(), Some("14 minutes left to pay."));
}
