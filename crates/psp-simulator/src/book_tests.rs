use rstest::rstest;

use super::*;

const NOW: i64 = 1_800_000_000;

fn order(amount_minor: i64) -> Order {
    Order {
        amount_minor,
        currency: "EUR".into(),
        reference: "r-1".into(),
        description: None,
        return_url: None,
        webhook_url: None,
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
    let first = book.create("k", order(100), NOW).unwrap();
    assert_eq!(book.create("k", order(100), NOW + 120).unwrap().id, first.id, "also when its time is over");
    assert_eq!(book.create("k", order(101), NOW).unwrap_err(), Refusal::KeyReused);
    assert_ne!(book.create("other", order(100), NOW).unwrap().id, first.id);
}

#[rstest]
#[case(SessionStatus::Paid, "checkout.paid")]
#[case(SessionStatus::Failed, "checkout.failed")]
#[case(SessionStatus::Expired, "checkout.expired")]
fn a_session_ends_once(#[case] to: SessionStatus, #[case] told: &str) {
    let mut book = book();
    let id = book.create("k", order(100), NOW).unwrap().id;
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
    let id = book.create("k", order(100), NOW).unwrap().id;
    assert_eq!(book.overdue(NOW + 59), Vec::<String>::new());
    assert_eq!(book.overdue(NOW + 60), std::slice::from_ref(&id));
    assert_eq!(book.end(&id, SessionStatus::Paid, NOW + 60).unwrap().value.status, SessionStatus::Expired);
}

#[test]
fn never_more_goes_back_than_was_paid() {
    let mut book = book();
    let id = book.create("k", order(100), NOW).unwrap().id;
    assert_eq!(refund(&mut book, "r1", &id, 1).unwrap_err(), Refusal::NotPaid);
    book.end(&id, SessionStatus::Paid, NOW).unwrap();
    let first = refund(&mut book, "r1", &id, 60).unwrap();
    assert_eq!(refund(&mut book, "r1", &id, 60).unwrap(), first, "a repeat");
    assert_eq!(refund(&mut book, "r1", &id, 61).unwrap_err(), Refusal::KeyReused);
    assert_eq!(refund(&mut book, "r2", &id, 41).unwrap_err(), Refusal::ExceedsPayment);
    refund(&mut book, "r3", &id, 40).unwrap();
    assert_eq!(refund(&mut book, "r4", &id, 1).unwrap_err(), Refusal::ExceedsPayment);
    assert_eq!(refund(&mut book, "r5", "cs_unknown", 1).unwrap_err(), Refusal::NotFound);
}

#[test]
fn the_number_of_sessions_is_capped_and_old_ones_make_room() {
    let mut book = book();
    for n in 0..10 {
        let id = book.create(&format!("k{n}"), order(1), NOW).unwrap().id;
        let end = if n == 0 { SessionStatus::Paid } else { SessionStatus::Failed };
        book.end(&id, end, NOW).unwrap();
    }
    assert_eq!(book.create("more", order(1), NOW).unwrap_err(), Refusal::Full);
    book.forget_old(NOW + KEEP_UNPAID);
    assert_eq!((book.sessions.len(), book.tokens.len(), book.keys.len()), (1, 1, 1), "only the paid one is kept");
    assert!(book.create("more", order(1), NOW).is_ok());
}

#[test]
fn a_restart_loses_nothing_that_was_answered() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sessions.jsonl");
    let id = {
        let mut book = Book::open(Some(&file), 10).unwrap();
        let id = book.create("k", order(100), NOW).unwrap().id;
        book.create("unpaid", order(5), NOW).unwrap();
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
    assert_eq!(book.create("k", order(100), NOW).unwrap().status, SessionStatus::Paid);
    assert_eq!(refund(&mut book, "r2", &id, 41).unwrap_err(), Refusal::ExceedsPayment);
    refund(&mut book, "r1", &id, 60).unwrap();
    let lines = std::fs::read_to_string(&file).unwrap().lines().count();
    assert_eq!(lines, 2, "one line for each session after a start, and none for a repeat");
}
