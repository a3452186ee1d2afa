mod settlement;

use std::collections::HashSet;

use rstest::rstest;

use super::{checkout::MAX_DECLINES, *};
use crate::{
    cards::{AfterChallenge, Decline, Effect},
    faults::{Decision, ReviewPlan, Switches, WebhookFault},
    model::{Mismatch, Order, RefundOrder, TransferOrder, TransferStatus},
};

const NO_SWITCHES: Switches = Switches { webhook: None, answer: None, refund: None, review: None };

const NOW: i64 = 1_800_000_000;

fn order(amount_minor: i64) -> Order {
    Order {
        amount_minor,
        currency: "EUR".into(),
        reference: "r-1".into(),
        description: None,
        return_url: None,
        webhook_url: None,
        simulate: None,
        expires_at: NOW + 60,
    }
}

fn book() -> Book {
    Book::open(None, 10).unwrap()
}

fn refund(book: &mut Book, key: &str, session: &str, amount_minor: i64) -> Result<String, Refusal> {
    let order = RefundOrder { session: session.to_owned(), amount_minor, reference: None };
    book.refund(key, order, NOW).map(|outcome| outcome.value.1.id)
}

#[test]
fn a_key_makes_one_session_and_refuses_other_content() {
    let mut book = book();
    let first = book.create("k", order(100), NO_SWITCHES, NOW).unwrap();
    assert_eq!(
        book.create("k", order(100), NO_SWITCHES, NOW + 120).unwrap().id,
        first.id,
        "also when its time is over"
    );
    assert_eq!(book.create("k", order(101), NO_SWITCHES, NOW).unwrap_err(), Refusal::KeyReused);
    assert_ne!(book.create("other", order(100), NO_SWITCHES, NOW).unwrap().id, first.id);
}

#[rstest]
#[case(SessionStatus::Paid, "checkout.paid")]
#[case(SessionStatus::Failed, "checkout.failed")]
#[case(SessionStatus::Expired, "checkout.expired")]
fn a_session_ends_once(#[case] to: SessionStatus, #[case] told: &str) {
    let mut book = book();
    let id = book.create("k", order(100), NO_SWITCHES, NOW).unwrap().id;
    let ended = book.end(&id, to, NOW).unwrap();
    assert_eq!((ended.value.status, ended.event.unwrap().kind), (to, told));
    for again in [SessionStatus::Paid, SessionStatus::Failed, SessionStatus::Expired] {
        let repeated = book.end(&id, again, NOW).unwrap();
        assert_eq!(repeated.value.status, to);
        assert!(repeated.event.is_none());
    }
}

#[test]
fn after_its_time_a_session_takes_no_money() {
    let mut book = book();
    let id = book.create("k", order(100), NO_SWITCHES, NOW).unwrap().id;
    assert_eq!(book.overdue(NOW + 59), Vec::<String>::new());
    assert_eq!(book.overdue(NOW + 60), std::slice::from_ref(&id));
    assert_eq!(book.end(&id, SessionStatus::Paid, NOW + 60).unwrap().value.status, SessionStatus::Expired);
}

#[test]
fn never_more_goes_back_than_was_paid() {
    let mut book = book();
    let id = book.create("k", order(100), NO_SWITCHES, NOW).unwrap().id;
    assert_eq!(refund(&mut book, "r1", &id, 1).unwrap_err(), Refusal::NotPaid);
    book.end(&id, SessionStatus::Paid, NOW).unwrap();
    let first = refund(&mut book, "r1", &id, 60).unwrap();
    assert_eq!(refund(&mut book, "r1", &id, 60).unwrap(), first, "a repeat");
    assert_eq!(refund(&mut book, "r1", &id, 61).unwrap_err(), Refusal::KeyReused);
    assert_eq!(refund(&mut book, "r2", &id, 41).unwrap_err(), Refusal::ExceedsPayment);
    refund(&mut book, "r3", &id, 40).unwrap();
    assert_eq!(refund(&mut book, "r4", &id, 1).unwrap_err(), Refusal::ExceedsPayment);
    assert_eq!(refund(&mut book, "r5", "cs_unknown", 1).unwrap_err(), Refusal::NotFound("session"));
}

#[test]
fn the_number_of_sessions_is_capped_and_old_ones_make_room() {
    let mut book = book();
    for n in 0..10 {
        let id = book.create(&format!("k{n}"), order(1), NO_SWITCHES, NOW).unwrap().id;
        let end = if n == 0 { SessionStatus::Paid } else { SessionStatus::Failed };
        book.end(&id, end, NOW).unwrap();
    }
    assert_eq!(book.create("more", order(1), NO_SWITCHES, NOW).unwrap_err(), Refusal::Full);
    book.forget_old(NOW + KEEP_UNPAID);
    assert_eq!((book.sessions.len(), book.tokens.len(), book.keys.len()), (1, 1, 1), "only the paid one is kept");
    assert!(book.create("more", order(1), NO_SWITCHES, NOW).is_ok());
}

#[test]
fn a_restart_loses_nothing_that_was_answered() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sessions.jsonl");
    let id = {
        let mut book = Book::open(Some(&file), 10).unwrap();
        let id = book.create("k", order(100), NO_SWITCHES, NOW).unwrap().id;
        book.create("unpaid", order(5), NO_SWITCHES, NOW).unwrap();
        book.end(&id, SessionStatus::Paid, NOW).unwrap();
        refund(&mut book, "r1", &id, 60).unwrap();
        id
    };
    // A crash in the middle of a write.
    let mut text = std::fs::read_to_string(&file).unwrap();
    text.push_str("{\"id\":\"cs_half");
    std::fs::write(&file, text).unwrap();

    let mut book = Book::open(Some(&file), 10).unwrap();
    assert_eq!(book.sessions.len(), 2);
    assert_eq!(book.create("k", order(100), NO_SWITCHES, NOW).unwrap().status, SessionStatus::Paid);
    assert_eq!(refund(&mut book, "r2", &id, 41).unwrap_err(), Refusal::ExceedsPayment);
    refund(&mut book, "r1", &id, 60).unwrap();
    let lines = std::fs::read_to_string(&file).unwrap().lines().count();
    assert_eq!(lines, 2, "one line for each session after a start, and none for a repeat");
}

fn paid(book: &mut Book, key: &str) -> String {
    let id = book.create(key, order(100), NO_SWITCHES, NOW).unwrap().id;
    book.end(&id, SessionStatus::Paid, NOW).unwrap();
    id
}

fn fault(kind: Mismatch, id: &str) -> SettlementFault {
    SettlementFault { kind, id: id.to_owned() }
}

fn transfer(destination: &str) -> TransferOrder {
    TransferOrder {
        amount_minor: 70,
        currency: "EUR".into(),
        destination: destination.into(),
        reference: "po-1".into(),
    }
}

fn used(book: &mut Book, id: &str, effect: Effect) -> Outcome<Session> {
    book.use_card(id, effect, None, NOW).unwrap()
}

#[test]
fn a_declined_card_may_be_followed_by_another_but_not_forever() {
    let mut book = book();
    let id = book.create("k", order(100), NO_SWITCHES, NOW).unwrap().id;
    let mut ids = HashSet::new();
    for left in (1..MAX_DECLINES).rev() {
        let declined = used(&mut book, &id, Effect::Declines(Decline::ExpiredCard));
        assert_eq!(declined.value.status, SessionStatus::Open, "{left} left");
        let told = declined.event.expect("the merchant hears of each");
        assert_eq!((told.kind, ids.insert(told.id)), ("checkout.declined", true), "a decline is not the end");
    }
    let mut other = Book::open(None, 10).unwrap();
    other.save_session(&book.get(&id).unwrap()).unwrap();
    let last = used(&mut book, &id, Effect::Declines(Decline::LostCard));
    assert_eq!((last.value.status, last.event.unwrap().kind), (SessionStatus::Failed, "checkout.failed"));
    assert_eq!(last.value.declines.len(), MAX_DECLINES);
    let good = used(&mut other, &id, Effect::Pays);
    assert_eq!((good.value.status, good.value.paid), (SessionStatus::Paid, Some(NOW)));
    let refused = book.create("r", order(1), NO_SWITCHES, NOW).unwrap().id;
    assert_eq!(used(&mut book, &refused, Effect::Declines(Decline::Refused)).value.status, SessionStatus::Failed);
}

#[rstest]
#[case(AfterChallenge::Pays, Decision::Approve, SessionStatus::Paid, None)]
#[case(AfterChallenge::Declines, Decision::Approve, SessionStatus::Open, Some(Decline::InsufficientFunds))]
#[case(AfterChallenge::Pays, Decision::Reject, SessionStatus::Open, Some(Decline::AuthenticationFailed))]
fn a_challenge_decides(
    #[case] after: AfterChallenge,
    #[case] answer: Decision,
    #[case] status: SessionStatus,
    #[case] declined: Option<Decline>,
) {
    let mut book = book();
    let id = book.create("k", order(100), NO_SWITCHES, NOW).unwrap().id;
    let unasked = book.answer_challenge(&id, Decision::Approve, NOW).unwrap();
    assert_eq!(unasked.value.status, SessionStatus::Open, "nobody asked");
    assert!(used(&mut book, &id, Effect::Challenges(after)).event.is_none());
    assert_eq!(used(&mut book, &id, Effect::Pays).value.status, SessionStatus::Open, "first the challenge");
    let answered = book.answer_challenge(&id, answer, NOW).unwrap().value;
    assert_eq!((answered.status, answered.declines.last().copied()), (status, declined));
    assert_eq!(answered.challenge, None);
}

#[test]
fn a_challenge_does_not_outlive_its_session() {
    let mut book = book();
    let id = book.create("k", order(100), NO_SWITCHES, NOW).unwrap().id;
    used(&mut book, &id, Effect::Challenges(AfterChallenge::Pays));
    let late = book.answer_challenge(&id, Decision::Approve, NOW + 60).unwrap().value;
    assert_eq!((late.status, late.paid), (SessionStatus::Expired, None));
}

#[test]
fn a_review_waits_for_its_decision_and_for_nothing_else() {
    let mut book = book();
    let id = book.create("k", order(100), NO_SWITCHES, NOW).unwrap().id;
    assert_eq!(book.decide(&id, Decision::Approve, NOW).err(), Some(Refusal::NotInReview));
    assert_eq!(used(&mut book, &id, Effect::Reviews(None)).event.unwrap().kind, "checkout.review");
    let years = NOW + 10 * KEEP_PAID;
    assert!(book.overdue(years).is_empty() && book.reviews_due(years).is_empty());
    book.forget_old(years);
    for to in [SessionStatus::Expired, SessionStatus::Paid] {
        assert_eq!(book.end(&id, to, years).unwrap().value.status, SessionStatus::InReview);
    }
    assert_eq!(used(&mut book, &id, Effect::Pays).value.status, SessionStatus::InReview);
    assert_eq!(refund(&mut book, "r", &id, 1).unwrap_err(), Refusal::NotPaid);
    let decided = book.decide(&id, Decision::Approve, years).unwrap();
    assert_eq!((decided.value.status, decided.event.unwrap().kind), (SessionStatus::Paid, "checkout.paid"));
    assert!(book.decide(&id, Decision::Approve, years).unwrap().event.is_none(), "a repeat");
    assert_eq!(book.decide(&id, Decision::Reject, years).err(), Some(Refusal::NotInReview));
}

#[test]
fn a_planned_review_ends_as_planned() {
    let mut book = book();
    let plan = |decision| ReviewPlan { decision, after_seconds: 10 };
    let by_switch = Switches { review: Some(plan(Decision::Reject)), ..NO_SWITCHES };
    let switched = book.create("a", order(1), by_switch, NOW).unwrap().id;
    let planned = book.create("b", order(1), NO_SWITCHES, NOW).unwrap().id;
    let default = book.create("c", order(1), NO_SWITCHES, NOW).unwrap().id;
    let card = Effect::Reviews(Some(plan(Decision::Approve)));
    for (id, effect) in [(&switched, card), (&planned, card), (&default, Effect::Reviews(None))] {
        book.use_card(id, effect, Some(20), NOW).unwrap();
    }
    assert_eq!(book.reviews_due(NOW + 9), []);
    let mut due = book.reviews_due(NOW + 10);
    let mut expected = vec![(switched, Decision::Reject), (planned, Decision::Approve)];
    due.sort_by(|a, b| a.0.cmp(&b.0));
    expected.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(due, expected);
    assert_eq!(book.reviews_due(NOW + 20).len(), 3);
    book.decide(&default, Decision::Reject, NOW + 15).unwrap();
    assert_eq!(book.reviews_due(NOW + 20).len(), 2);
}

#[test]
fn a_card_has_its_say_about_the_events_to_come() {
    let mut book = book();
    let switches = Switches { webhook: Some(WebhookFault::Duplicate), ..NO_SWITCHES };
    let id = book.create("k", order(100), switches, NOW).unwrap().id;
    assert_eq!(book.create("k", order(100), NO_SWITCHES, NOW).unwrap().switches, switches, "as it was made");
    let paid = used(&mut book, &id, Effect::PaysUntold(WebhookFault::Lose));
    assert_eq!(paid.event.unwrap().fault, Some(WebhookFault::Lose));
}

#[test]
fn a_transfer_happens_once_and_to_nowhere_it_fails() {
    let mut book = book();
    let made = book.transfer("t", transfer("hotel-1"), NOW).unwrap();
    assert_eq!((made.value.status, made.event.unwrap().kind), (TransferStatus::Paid, "transfer.paid"));
    let again = book.transfer("t", transfer("hotel-1"), NOW + 1).unwrap();
    assert_eq!((again.value.id, again.event.is_none()), (made.value.id.clone(), true));
    assert_eq!(book.transfer("t", transfer("hotel-2"), NOW).err(), Some(Refusal::KeyReused));
    let failed = book.transfer("u", transfer("fail"), NOW).unwrap();
    assert_eq!((failed.value.status, failed.event.unwrap().kind), (TransferStatus::Failed, "transfer.failed"));
    assert_eq!(book.get_transfer(&made.value.id).unwrap().created, NOW);
    assert_eq!(book.get_transfer("tr_x").err(), Some(Refusal::NotFound("transfer")));
    for n in 0..8 {
        book.transfer(&format!("{n}"), transfer("h"), NOW).unwrap();
    }
    assert_eq!(book.transfer("more", transfer("h"), NOW).err(), Some(Refusal::TransfersFull));
    book.forget_old(NOW + KEEP_PAID);
    assert!(book.transfer("more", transfer("h"), NOW).is_ok());
}

#[test]
fn a_restart_loses_no_review_challenge_transfer_or_fault() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sessions.jsonl");
    let open = || Book::open(Some(&file), 20).unwrap();
    let switches = Switches { webhook: Some(WebhookFault::Delay(3)), ..NO_SWITCHES };
    let mut book = open();
    let charged = paid(&mut book, "k");
    let challenged = book.create("c", order(1), switches, NOW).unwrap().id;
    used(&mut book, &challenged, Effect::Declines(Decline::StolenCard));
    used(&mut book, &challenged, Effect::Challenges(AfterChallenge::Pays));
    let reviewed = book.create("v", order(1), NO_SWITCHES, NOW).unwrap().id;
    let plan = ReviewPlan { decision: Decision::Reject, after_seconds: 5 };
    used(&mut book, &reviewed, Effect::Reviews(Some(plan)));
    let out = book.transfer("t", transfer("hotel-1"), NOW).unwrap().value.id;
    book.add_settlement_faults(vec![fault(Mismatch::Amount, &charged), fault(Mismatch::Duplicate, &out)]).unwrap();
    let before = (book.settlement(&(NOW..NOW + 1)), book.sessions.clone());
    drop(book);

    let mut book = open();
    assert_eq!((book.settlement(&(NOW..NOW + 1)), book.sessions.clone()), before);
    assert_eq!(book.reviews_due(NOW + 5), [(reviewed, Decision::Reject)]);
    assert_eq!(book.transfer("t", transfer("hotel-1"), NOW).unwrap().value.id, out);
    let answered = book.answer_challenge(&challenged, Decision::Approve, NOW).unwrap();
    assert_eq!((answered.value.status, answered.event.unwrap().fault), (SessionStatus::Paid, switches.webhook));
    book.clear_settlement_faults().unwrap();
    let right = book.settlement(&(NOW..NOW + 1));
    let copies = |lines: &[Line]| lines.iter().filter(|line| line.id == out).count();
    assert_eq!((copies(&before.0), copies(&right)), (2, 1));
    drop(book);
    assert_eq!(open().settlement(&(NOW..NOW + 1)), right, "and stays away");
}

#[test]
fn a_file_from_before_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sessions.jsonl");
    let line = r#"{"id":"cs_1","token":"pay_1","status":"paid","order":{"amount_minor":5,"currency":"EUR","reference":"r","description":null,"return_url":null,"webhook_url":null,"expires_at":1800000060},"created":1800000000,"updated":1800000001,"idempotency_key":"k","refunds":[{"id":"re_1","order":{"session":"cs_1","amount_minor":1,"reference":null},"idempotency_key":"q"}]}"#;
    std::fs::write(&file, format!("{line}\n")).unwrap();
    let book = Book::open(Some(&file), 10).unwrap();
    assert_eq!(book.get("cs_1").unwrap().refunded_minor(), 1);
    assert_eq!(book.settlement(&(NOW..NOW + 1)).len(), 1);
}

#[test]
fn one_payment_has_a_bounded_number_of_refunds() {
    let mut book = book();
    let id = book.create("k", order(1000), NO_SWITCHES, NOW).unwrap().id;
    book.end(&id, SessionStatus::Paid, NOW).unwrap();
    for n in 0..100 {
        refund(&mut book, &format!("r{n}"), &id, 1).unwrap();
    }
    assert_eq!(refund(&mut book, "more", &id, 1).unwrap_err(), Refusal::TooManyRefunds);
    refund(&mut book, "r0", &id, 1).unwrap();
}
