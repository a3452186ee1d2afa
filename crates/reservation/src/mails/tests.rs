//! Mails against a real database and a folder: who gets which, once, and what happens when a look-up fails.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use jiff::civil::date;
use staymesh_domain::{Language, PaymentId, time_zone};
use staymesh_mail::MailConfig;
use staymesh_store::outbox::{NewEvent, Relay, Wake, stats};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    clients::{MockRecipientClient, MockStayNameClient, StayNames},
    events::mail_aggregate,
    lifecycle::Command,
    model::PaymentMode,
    testing::{World, pay, room_type},
};

/// Delivers with `sender`, but reports the first delivery as failed, as if the process had died before it was recorded.
struct DiesOnce {
    sender: MailSender,
    deliveries: Arc<AtomicU32>,
}

impl Deliver for DiesOnce {
    async fn deliver(&self, event: &OutboxEvent) -> Delivery {
        let delivered = self.sender.deliver(event).await;
        assert_eq!(delivered, Delivery::Done);
        match self.deliveries.fetch_add(1, Ordering::Relaxed) {
            0 => Delivery::Retry("the process died".to_owned()),
            _ => delivered,
        }
    }
}

fn ada() -> Recipient {
    let key = Some("k".repeat(43).into());
    Recipient { email: "ada@example.com".into(), language: Language::German, key }
}

fn names() -> MockStayNameClient {
    let mut names = MockStayNameClient::new();
    names.expect_names().returning(|_, _| {
        let zone = time_zone("Europe/Lisbon").expect("a zone");
        Ok(StayNames {
            hotel: "Hotel Sol, Lisboa".into(),
            room_types: [(room_type(), "Double room".into())].into(),
            zone,
        })
    });
    names
}

fn recipients(answer: fn() -> Result<Option<Recipient>, GrpcStatus>) -> MockRecipientClient {
    let mut recipients = MockRecipientClient::new();
    recipients.expect_recipient().returning(move |_, _, _| answer());
    recipients
}

fn sender(world: &World, folder: &Path, recipients: MockRecipientClient) -> MailSender {
    let config = MailConfig {
        smtp_url: format!("file://{}", folder.display()).into(),
        mail_from: "Staymesh <booking@staymesh.example>".into(),
        public_url: "https://booking.example".into(),
    };
    MailSender {
        store: world.store.clone(),
        recipients: Box::new(recipients),
        names: Box::new(names()),
        mailer: Mailer::new(&config).expect("a mailer"),
        site: config.site().expect("a site"),
    }
}

/// Relays mails until none is left to deliver.
async fn relay(world: &World, receiver: impl Deliver) {
    let options = RelayOptions {
        poll: Duration::from_millis(5),
        backoff_base: Duration::from_millis(1),
        max_attempts: 3,
        ..relay_options()
    };
    let stop = CancellationToken::new();
    let relay = tokio::spawn(Relay::new(world.pool().clone(), receiver, Wake::default(), options).run(stop.clone()));
    let mails = "select count(*) from outbox where delivered_at is null and parked_at is null and kind like 'mail.%'";
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while world.count(mails).await > 0 {
        assert!(tokio::time::Instant::now() < deadline, "mails are left");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    stop.cancel();
    relay.await.expect("the relay ends");
}

/// Names and texts of the mails in a folder, by name.
fn read(folder: &Path) -> Vec<(String, String)> {
    let mut mails: Vec<_> = std::fs::read_dir(folder)
        .expect("a folder")
        .map(|file| {
            let file = file.expect("a file");
            let text = std::fs::read_to_string(file.path()).expect("a text");
            (file.file_name().to_string_lossy().into_owned(), text.replace("=\r\n", "").replace("=3D", "="))
        })
        .collect();
    mails.sort();
    mails
}

/// A held booking of two nights of this owner.
async fn booked_by(world: &World, owner: &str) -> Reservation {
    world.sell(7, date(2030, 1, 1), 2, 5).await.expect("on sale");
    let booking = world.book(7, date(2030, 1, 1), 2, PaymentMode::GuestPays).await.expect("booked");
    world.tamper(&format!("update reservation set owner = '{owner}'")).await;
    booking
}

async fn paid_by(world: &World, owner: &str) -> Reservation {
    let booking = booked_by(world, owner).await;
    world.apply_at(booking.id, &pay(PaymentId::new()), Timestamp::now()).await.expect("paid")
}

#[tokio::test]
async fn confirmed_booking_is_mailed_once_although_the_process_dies_after_sending() {
    let (world, folder) = (World::new().await, TempDir::new().expect("a folder"));
    let user = UserId::new();
    let booking = paid_by(&world, &user.to_string()).await;
    let mut recipients = MockRecipientClient::new();
    let (asked, expire) = (Arc::new(std::sync::Mutex::new(Vec::new())), "2030-01-18T00:00:00Z".parse::<Timestamp>());
    let ids = Arc::clone(&asked);
    recipients
        .expect_recipient()
        .withf(move |of, _, until| *of == user && expire.as_ref().is_ok_and(|expire| until == expire))
        .times(2)
        .returning(move |_, id, _| {
            ids.lock().expect("ids").push(id);
            Ok(Some(ada()))
        });
    let deliveries = Arc::new(AtomicU32::new(0));
    let receiver = DiesOnce { sender: sender(&world, folder.path(), recipients), deliveries: Arc::clone(&deliveries) };
    relay(&world, receiver).await;

    assert_eq!(deliveries.load(Ordering::Relaxed), 2, "delivered again");
    let asked = asked.lock().expect("ids").clone();
    assert_eq!(asked[0], asked[1], "the same key for every attempt");
    let mails = read(folder.path());
    assert_eq!(mails.len(), 1, "one mail with one Message-ID");
    let (name, text) = &mails[0];
    assert_eq!(*name, format!("booking-confirmed-{}.eml", booking.id));
    assert!(text.contains(&format!("<booking-confirmed-{}@staymesh.example>", booking.id)), "{text}");
    let link = format!("https://booking.example/booking#reservation={}&key={}&lang=de", booking.id, "k".repeat(43));
    assert!(text.contains("To: ada@example.com") && text.contains(&link), "{text}");
    let stored: String = sqlx::query_scalar("select string_agg(outbox::text, ' ') from outbox")
        .fetch_one(world.pool())
        .await
        .expect("rows");
    assert!(!stored.contains("ada@") && !stored.contains("kkkk"), "neither address nor key is stored");
}

#[tokio::test]
async fn cancellation_of_a_paid_booking_mails_what_is_paid_back() {
    let (world, folder) = (World::new().await, TempDir::new().expect("a folder"));
    let booking = paid_by(&world, &UserId::new().to_string()).await;
    world.apply_at(booking.id, &Command::Cancel, Timestamp::now()).await.expect("cancelled");
    relay(&world, sender(&world, folder.path(), recipients(|| Ok(Some(ada()))))).await;
    // The confirmation had not been sent yet, and would be wrong by now.
    let mails = read(folder.path());
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].0, format!("booking-cancelled-{}.eml", booking.id));
}

/// The event that a change made this revision of a booking that cost 50.00 before.
async fn changed(world: &World, booking: &Reservation, revision: i32, balance: i64) {
    let mut before = booking.clone();
    before.quote.total = Money::from_minor(5_000, "EUR".parse().expect("a currency")).expect("an amount");
    let balance = Money::from_minor(balance, before.quote.total.currency()).expect("an amount");
    let payload = BookingMail::changed(&before, revision, balance).expect("in range").expect("of a guest");
    let event = NewEvent { aggregate_id: mail_aggregate(booking.id), payload, trace_parent: None };
    let mut transaction = world.store.begin().await.expect("a transaction");
    transaction.enqueue_change(BOOKING_CHANGED, &[event]).await.expect("enqueued");
    transaction.commit().await.expect("committed");
}

/// Records what became of the change that was to make a revision of the only booking.
async fn known_change(world: &World, revision: i32, status: &str) {
    let change = format!(
        "insert into reservation_change (hotel_id, reservation_id, revision, status, content_hash, actor, reason, currency,
             balance_minor, penalty_minor, document, held)
         select hotel_id, reservation_id, {revision}, '{status}', content_hash, 'me', 'changed', 'EUR', 0, 0, '{{}}', '[]'
         from reservation;
         update reservation set revision = {revision}"
    );
    world.tamper(&change).await;
}

/// A change that was given up has no mail: that about the change before is the last word.
#[tokio::test]
async fn change_is_mailed_although_a_later_one_was_given_up_and_not_once_one_was_applied() {
    for (status, mailed) in [("dropped", true), ("applied", false)] {
        let (world, folder) = (World::new().await, TempDir::new().expect("a folder"));
        let booking = paid_by(&world, &UserId::new().to_string()).await;
        changed(&world, &booking, 1, -2_000).await;
        known_change(&world, 2, status).await;
        relay(&world, sender(&world, folder.path(), recipients(|| Ok(Some(ada()))))).await;
        let name = format!("booking-changed-{}-1.eml", booking.id);
        assert_eq!(read(folder.path()).iter().any(|(mail, _)| *mail == name), mailed, "{status}");
    }
}

#[tokio::test]
async fn change_is_mailed_with_its_refund_unless_it_was_overtaken() {
    let (world, folder) = (World::new().await, TempDir::new().expect("a folder"));
    let booking = paid_by(&world, &UserId::new().to_string()).await;
    // The mail is about the revision that the booking has.
    changed(&world, &booking, 2, -2_000).await;
    changed(&world, &booking, 1, 1_000).await;
    known_change(&world, 2, "applied").await;
    relay(&world, sender(&world, folder.path(), recipients(|| Ok(Some(ada()))))).await;
    let mails = read(folder.path());
    let names: Vec<_> = mails.iter().map(|(name, _)| name.clone()).collect();
    let expected = [format!("booking-changed-{}-2.eml", booking.id), format!("booking-confirmed-{}.eml", booking.id)];
    assert_eq!(names, expected);
    assert!(mails[0].1.contains("20,00 EUR") && mails[0].1.contains("50,00 EUR"), "{}", mails[0].1);
}

#[tokio::test]
async fn unpaid_partner_and_expired_bookings_get_no_mail() {
    let world = World::new().await;
    let mails = "select count(*) from outbox where kind like 'mail.%'";
    let unpaid = booked_by(&world, &UserId::new().to_string()).await;
    world.apply_at(unpaid.id, &Command::Cancel, Timestamp::now()).await.expect("cancelled");
    assert_eq!(world.count(mails).await, 0);
    let expired = booked_by(&world, &UserId::new().to_string()).await;
    world.apply(expired.id, &Command::Expire).await.expect("expired");
    assert_eq!(world.count(mails).await, 0);
    paid_by(&world, "client:partner").await;
    assert_eq!(world.count(mails).await, 0);
}

#[tokio::test]
async fn deleted_guest_gets_no_mail_and_an_unreadable_answer_makes_a_dead_letter() {
    let (world, folder) = (World::new().await, TempDir::new().expect("a folder"));
    paid_by(&world, &UserId::new().to_string()).await;
    relay(&world, sender(&world, folder.path(), recipients(|| Ok(None)))).await;
    assert_eq!(stats(world.pool()).await.expect("stats").dead_letters, 0);
    paid_by(&world, &UserId::new().to_string()).await;
    let invalid = || Err(GrpcStatus::invalid_argument("ada@example.com"));
    relay(&world, sender(&world, folder.path(), recipients(invalid))).await;
    assert_eq!(read(folder.path()).len(), 0);
    let reason: String = sqlx::query_scalar("select last_error from outbox where parked_at is not null")
        .fetch_one(world.pool())
        .await
        .expect("a dead letter");
    assert_eq!(reason, "identity: InvalidArgument", "without the text of the answer, which may name the guest");
}
