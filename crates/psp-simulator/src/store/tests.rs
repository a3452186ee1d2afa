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

fn store() -> Store {
    Store::open(None, 10).unwrap()
}

fn refund(store: &mut Store, key: &str, session: &str, amount_minor: i64) -> Result<String, Refusal> {
    let order = RefundOrder { session: session.to_owned(), amount_minor, reference: None };
    store.refund(key, order, NOW).map(|outcome| outcome.value.1.id)
}

#[test]
fn create_is_idempotent_by_key_and_refuses_other_content() {
    let mut store = store();
    let first = store.create("k", order(100), NO_SWITCHES, NOW).unwrap();
    assert_eq!(
        store.create("k", order(100), NO_SWITCHES, NOW + 120).unwrap().id,
        first.id,
        "also when its time is over"
    );
    assert_eq!(store.create("k", order(101), NO_SWITCHES, NOW).unwrap_err(), Refusal::KeyReused);
    assert_ne!(store.create("other", order(100), NO_SWITCHES, NOW).unwrap().id, first.id);
}

#[rstest]
#[case(SessionStatus::Paid, "checkout.paid")]
#[case(SessionStatus::Failed, "checkout.failed")]
#[case(SessionStatus::Expired, "checkout.expired")]
fn ended_session_stays_ended(#[case] to: SessionStatus, #[case] event_kind: &str) {
    let mut store = store();
    let id = store.create("k", order(100), NO_SWITCHES, NOW).unwrap().id;
    let ended = store.end(&id, to, NOW).unwrap();
    assert_eq!((ended.value.status, ended.event.unwrap().kind), (to, event_kind));
    for again in [SessionStatus::Paid, SessionStatus::Failed, SessionStatus::Expired] {
        let repeated = store.end(&id, again, NOW).unwrap();
        assert_eq!(repeated.value.status, to);
        assert!(repeated.event.is_none());
    }
}

#[test]
fn expired_session_takes_no_payment() {
    let mut store = store();
    let id = store.create("k", order(100), NO_SWITCHES, NOW).unwrap().id;
    assert_eq!(store.overdue(NOW + 59), Vec::<String>::new());
    assert_eq!(store.overdue(NOW + 60), std::slice::from_ref(&id));
    assert_eq!(store.end(&id, SessionStatus::Paid, NOW + 60).unwrap().value.status, SessionStatus::Expired);
}

#[test]
fn refunds_never_exceed_the_payment() {
    let mut store = store();
    let id = store.create("k", order(100), NO_SWITCHES, NOW).unwrap().id;
    assert_eq!(refund(&mut store, "r1", &id, 1).unwrap_err(), Refusal::NotPaid);
    store.end(&id, SessionStatus::Paid, NOW).unwrap();
    let first = refund(&mut store, "r1", &id, 60).unwrap();
    assert_eq!(refund(&mut store, "r1", &id, 60).unwrap(), first, "a repeat");
    assert_eq!(refund(&mut store, "r1", &id, 61).unwrap_err(), Refusal::KeyReused);
    assert_eq!(refund(&mut store, "r2", &id, 41).unwrap_err(), Refusal::ExceedsPayment);
    refund(&mut store, "r3", &id, 40).unwrap();
    assert_eq!(refund(&mut store, "r4", &id, 1).unwrap_err(), Refusal::ExceedsPayment);
    assert_eq!(refund(&mut store, "r5", "cs_unknown", 1).unwrap_err(), Refusal::NotFound("session"));
}

#[test]
fn sessions_are_limited_and_old_ones_removed() {
    let mut store = store();
    for n in 0..10 {
        let id = store.create(&format!("k{n}"), order(1), NO_SWITCHES, NOW).unwrap().id;
        let end = if n == 0 { SessionStatus::Paid } else { SessionStatus::Failed };
        store.end(&id, end, NOW).unwrap();
    }
    assert_eq!(store.create("more", order(1), NO_SWITCHES, NOW).unwrap_err(), Refusal::Full);
    store.forget_old(NOW + KEEP_UNPAID);
    assert_eq!((store.sessions.len(), store.tokens.len(), store.keys.len()), (1, 1, 1), "only the paid one is kept");
    assert!(store.create("more", order(1), NO_SWITCHES, NOW).is_ok());
}

#[test]
fn restart_keeps_everything_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sessions.jsonl");
    let id = {
        let mut store = Store::open(Some(&file), 10).unwrap();
        let id = store.create("k", order(100), NO_SWITCHES, NOW).unwrap().id;
        store.create("unpaid", order(5), NO_SWITCHES, NOW).unwrap();
        store.end(&id, SessionStatus::Paid, NOW).unwrap();
        refund(&mut store, "r1", &id, 60).unwrap();
        id
    };
    // A crash in the middle of a write.
    let mut text = std::fs::read_to_string(&file).unwrap();
    text.push_str("{\"id\":\"cs_half");
    std::fs::write(&file, text).unwrap();

    let mut store = Store::open(Some(&file), 10).unwrap();
    assert_eq!(store.sessions.len(), 2);
    assert_eq!(store.create("k", order(100), NO_SWITCHES, NOW).unwrap().status, SessionStatus::Paid);
    assert_eq!(refund(&mut store, "r2", &id, 41).unwrap_err(), Refusal::ExceedsPayment);
    refund(&mut store, "r1", &id, 60).unwrap();
    let lines = std::fs::read_to_string(&file).unwrap().lines().count();
    assert_eq!(lines, 2, "one line for each session after a start, and none for a repeat");
}

fn paid(store: &mut Store, key: &str) -> String {
    let id = store.create(key, order(100), NO_SWITCHES, NOW).unwrap().id;
    store.end(&id, SessionStatus::Paid, NOW).unwrap();
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

fn used(store: &mut Store, id: &str, effect: Effect) -> Outcome<Session> {
    store.use_card(id, effect, None, NOW).unwrap()
}

#[test]
fn declined_cards_are_limited_per_session() {
    let mut store = store();
    let id = store.create("k", order(100), NO_SWITCHES, NOW).unwrap().id;
    let mut ids = HashSet::new();
    for left in (1..MAX_DECLINES).rev() {
        let declined = used(&mut store, &id, Effect::Declines(Decline::ExpiredCard));
        assert_eq!(declined.value.status, SessionStatus::Open, "{left} left");
        let event = declined.event.expect("an event for each decline");
        assert_eq!((event.kind, ids.insert(event.id)), ("checkout.declined", true), "the session stays open");
    }
    let mut other = Store::open(None, 10).unwrap();
    other.save_session(&store.get(&id).unwrap()).unwrap();
    let last = used(&mut store, &id, Effect::Declines(Decline::LostCard));
    assert_eq!((last.value.status, last.event.unwrap().kind), (SessionStatus::Failed, "checkout.failed"));
    assert_eq!(last.value.declines.len(), MAX_DECLINES);
    let good = used(&mut other, &id, Effect::Pays);
    assert_eq!((good.value.status, good.value.paid), (SessionStatus::Paid, Some(NOW)));
    let refused = store.create("r", order(1), NO_SWITCHES, NOW).unwrap().id;
    assert_eq!(used(&mut store, &refused, Effect::Declines(Decline::Refused)).value.status, SessionStatus::Failed);
}

#[rstest]
#[case(AfterChallenge::Pays, Decision::Approve, SessionStatus::Paid, None)]
#[case(AfterChallenge::Declines, Decision::Approve, SessionStatus::Open, Some(Decline::InsufficientFunds))]
#[case(AfterChallenge::Pays, Decision::Reject, SessionStatus::Open, Some(Decline::AuthenticationFailed))]
fn challenge_approval_pays_and_rejection_declines(
    #[case] after: AfterChallenge,
    #[case] answer: Decision,
    #[case] status: SessionStatus,
    #[case] declined: Option<Decline>,
) {
    let mut store = store();
    let id = store.create("k", order(100), NO_SWITCHES, NOW).unwrap().id;
    let unchallenged = store.answer_challenge(&id, Decision::Approve, NOW).unwrap();
    assert_eq!(unchallenged.value.status, SessionStatus::Open, "no open challenge");
    assert!(used(&mut store, &id, Effect::Challenges(after)).event.is_none());
    assert_eq!(used(&mut store, &id, Effect::Pays).value.status, SessionStatus::Open, "first the challenge");
    let answered = store.answer_challenge(&id, answer, NOW).unwrap().value;
    assert_eq!((answered.status, answered.declines.last().copied()), (status, declined));
    assert_eq!(answered.challenge, None);
}

#[test]
fn challenge_ends_with_its_session() {
    let mut store = store();
    let id = store.create("k", order(100), NO_SWITCHES, NOW).unwrap().id;
    used(&mut store, &id, Effect::Challenges(AfterChallenge::Pays));
    let late = store.answer_challenge(&id, Decision::Approve, NOW + 60).unwrap().value;
    assert_eq!((late.status, late.paid), (SessionStatus::Expired, None));
}

#[test]
fn review_ends_only_by_its_decision() {
    let mut store = store();
    let id = store.create("k", order(100), NO_SWITCHES, NOW).unwrap().id;
    assert_eq!(store.decide(&id, Decision::Approve, NOW).err(), Some(Refusal::NotInReview));
    assert_eq!(used(&mut store, &id, Effect::Reviews(None)).event.unwrap().kind, "checkout.review");
    let years = NOW + 10 * KEEP_PAID;
    assert!(store.overdue(years).is_empty() && store.reviews_due(years).is_empty());
    store.forget_old(years);
    for to in [SessionStatus::Expired, SessionStatus::Paid] {
        assert_eq!(store.end(&id, to, years).unwrap().value.status, SessionStatus::InReview);
    }
    assert_eq!(used(&mut store, &id, Effect::Pays).value.status, SessionStatus::InReview);
    assert_eq!(refund(&mut store, "r", &id, 1).unwrap_err(), Refusal::NotPaid);
    let decided = store.decide(&id, Decision::Approve, years).unwrap();
    assert_eq!((decided.value.status, decided.event.unwrap().kind), (SessionStatus::Paid, "checkout.paid"));
    assert!(store.decide(&id, Decision::Approve, years).unwrap().event.is_none(), "a repeat");
    assert_eq!(store.decide(&id, Decision::Reject, years).err(), Some(Refusal::NotInReview));
}

#[test]
fn planned_review_is_due_at_its_time_with_its_decision() {
    let mut store = store();
    let plan = |decision| ReviewPlan { decision, after_seconds: 10 };
    let by_switch = Switches { review: Some(plan(Decision::Reject)), ..NO_SWITCHES };
    let switched = store.create("a", order(1), by_switch, NOW).unwrap().id;
    let planned = store.create("b", order(1), NO_SWITCHES, NOW).unwrap().id;
    let default = store.create("c", order(1), NO_SWITCHES, NOW).unwrap().id;
    let card = Effect::Reviews(Some(plan(Decision::Approve)));
    for (id, effect) in [(&switched, card), (&planned, card), (&default, Effect::Reviews(None))] {
        store.use_card(id, effect, Some(20), NOW).unwrap();
    }
    assert_eq!(store.reviews_due(NOW + 9), []);
    let mut due = store.reviews_due(NOW + 10);
    let mut expected = vec![(switched, Decision::Reject), (planned, Decision::Approve)];
    due.sort_by(|a, b| a.0.cmp(&b.0));
    expected.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(due, expected);
    assert_eq!(store.reviews_due(NOW + 20).len(), 3);
    store.decide(&default, Decision::Reject, NOW + 15).unwrap();
    assert_eq!(store.reviews_due(NOW + 20).len(), 2);
}

#[test]
fn webhook_fault_of_card_overrides_that_of_session() {
    let mut store = store();
    let switches = Switches { webhook: Some(WebhookFault::Duplicate), ..NO_SWITCHES };
    let id = store.create("k", order(100), switches, NOW).unwrap().id;
    assert_eq!(store.create("k", order(100), NO_SWITCHES, NOW).unwrap().switches, switches, "as it was made");
    let paid = used(&mut store, &id, Effect::PaysWithWebhookFault(WebhookFault::Lose));
    assert_eq!(paid.event.unwrap().fault, Some(WebhookFault::Lose));
}

#[test]
fn transfer_is_idempotent_and_fails_for_failing_destination() {
    let mut store = store();
    let made = store.transfer("t", transfer("hotel-1"), NOW).unwrap();
    assert_eq!((made.value.status, made.event.unwrap().kind), (TransferStatus::Paid, "transfer.paid"));
    let again = store.transfer("t", transfer("hotel-1"), NOW + 1).unwrap();
    assert_eq!((again.value.id, again.event.is_none()), (made.value.id.clone(), true));
    assert_eq!(store.transfer("t", transfer("hotel-2"), NOW).err(), Some(Refusal::KeyReused));
    let failed = store.transfer("u", transfer("fail"), NOW).unwrap();
    assert_eq!((failed.value.status, failed.event.unwrap().kind), (TransferStatus::Failed, "transfer.failed"));
    assert_eq!(store.get_transfer(&made.value.id).unwrap().created, NOW);
    assert_eq!(store.get_transfer("tr_x").err(), Some(Refusal::NotFound("transfer")));
    for n in 0..8 {
        store.transfer(&format!("{n}"), transfer("h"), NOW).unwrap();
    }
    assert_eq!(store.transfer("more", transfer("h"), NOW).err(), Some(Refusal::TransfersFull));
    store.forget_old(NOW + KEEP_PAID);
    assert!(store.transfer("more", transfer("h"), NOW).is_ok());
}

#[test]
fn restart_keeps_reviews_challenges_transfers_and_faults() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sessions.jsonl");
    let open = || Store::open(Some(&file), 20).unwrap();
    let switches = Switches { webhook: Some(WebhookFault::Delay(3)), ..NO_SWITCHES };
    let mut store = open();
    let charged = paid(&mut store, "k");
    let challenged = store.create("c", order(1), switches, NOW).unwrap().id;
    used(&mut store, &challenged, Effect::Declines(Decline::StolenCard));
    used(&mut store, &challenged, Effect::Challenges(AfterChallenge::Pays));
    let reviewed = store.create("v", order(1), NO_SWITCHES, NOW).unwrap().id;
    let plan = ReviewPlan { decision: Decision::Reject, after_seconds: 5 };
    used(&mut store, &reviewed, Effect::Reviews(Some(plan)));
    let out = store.transfer("t", transfer("hotel-1"), NOW).unwrap().value.id;
    store.add_settlement_faults(vec![fault(Mismatch::Amount, &charged), fault(Mismatch::Duplicate, &out)]).unwrap();
    let before = (store.settlement(&(NOW..NOW + 1)), store.sessions.clone());
    drop(store);

    let mut store = open();
    assert_eq!((store.settlement(&(NOW..NOW + 1)), store.sessions.clone()), before);
    assert_eq!(store.reviews_due(NOW + 5), [(reviewed, Decision::Reject)]);
    assert_eq!(store.transfer("t", transfer("hotel-1"), NOW).unwrap().value.id, out);
    let answered = store.answer_challenge(&challenged, Decision::Approve, NOW).unwrap();
    assert_eq!((answered.value.status, answered.event.unwrap().fault), (SessionStatus::Paid, switches.webhook));
    store.clear_settlement_faults().unwrap();
    let right = store.settlement(&(NOW..NOW + 1));
    let copies = |lines: &[Line]| lines.iter().filter(|line| line.id == out).count();
    assert_eq!((copies(&before.0), copies(&right)), (2, 1));
    drop(store);
    assert_eq!(open().settlement(&(NOW..NOW + 1)), right, "and stays removed");
}

#[test]
fn state_file_of_older_version_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sessions.jsonl");
    let line = r#"{"id":"cs_1","token":"pay_1","status":"paid","order":{"amount_minor":5,"currency":"EUR","reference":"r","description":null,"return_url":null,"webhook_url":null,"expires_at":1800000060},"created":1800000000,"updated":1800000001,"idempotency_key":"k","refunds":[{"id":"re_1","order":{"session":"cs_1","amount_minor":1,"reference":null},"idempotency_key":"q"}]}"#;
    std::fs::write(&file, format!("{line}\n")).unwrap();
    let store = Store::open(Some(&file), 10).unwrap();
    assert_eq!(store.get("cs_1").unwrap().refunded_minor(), 1);
    assert_eq!(store.settlement(&(NOW..NOW + 1)).len(), 1);
}

#[test]
fn refunds_per_payment_are_limited() {
    let mut store = store();
    let id = store.create("k", order(1000), NO_SWITCHES, NOW).unwrap().id;
    store.end(&id, SessionStatus::Paid, NOW).unwrap();
    for n in 0..100 {
        refund(&mut store, &format!("r{n}"), &id, 1).unwrap();
    }
    assert_eq!(refund(&mut store, "more", &id, 1).unwrap_err(), Refusal::TooManyRefunds);
    refund(&mut store, "r0", &id, 1).unwrap();
}
