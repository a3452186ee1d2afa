//! Sends mails to guests: the confirmation of a booking, its changes, and its cancellation.
//!
//! The event of a mail is written in the transaction of the change that it reports. It may be delivered again, for example
//! when the process dies after the mail server took the mail: the mail then has the same `Message-ID`, text and key, so a
//! mailbox recognises the copy. The address, the language and the key of the link come from identity at that moment, and
//! are not stored here; a guest who was deleted in the meantime gets no mail.

mod format;
mod texts;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret;
use staymesh_domain::{Money, UserId, parse_date};
use staymesh_mail::{Mail, MailError, Mailer, Site};
use staymesh_store::{
    StoreError,
    outbox::{Deliver, Delivery, Kinds, OutboxEvent, RelayOptions},
};
use tonic::{Code, Status as GrpcStatus};
use uuid::Uuid;

use crate::{
    calendar::{DateOutOfRange, midnight_utc},
    clients::{Recipient, RecipientClient, StayNameClient},
    error::ReservationError,
    events::{BOOKING_CANCELLED, BOOKING_CHANGED, BOOKING_CONFIRMED, BookingMail, MAILS},
    model::{Reservation, Status},
    store::Store,
};
use texts::{Booking, Changed, Text};

/// For how long after the check-out date the key of a link is valid, that date itself included.
const KEY_LIFE: SignedDuration = SignedDuration::from_hours(15 * 24);
/// Two look-ups and a conversation with the mail server of at most nine seconds.
const DELIVERY: Duration = Duration::from_secs(20);

/// Limits of the relay of mails.
pub(crate) fn relay_options() -> RelayOptions {
    RelayOptions { kinds: Kinds::With(MAILS), deliver_timeout: DELIVERY, ..RelayOptions::default() }
}

/// Sends mails.
pub(crate) struct MailSender {
    pub(crate) store: Store,
    pub(crate) recipients: Box<dyn RecipientClient>,
    pub(crate) names: Box<dyn StayNameClient>,
    pub(crate) mailer: Mailer,
    pub(crate) site: Site,
}

impl Deliver for MailSender {
    async fn deliver(&self, event: &OutboxEvent) -> Delivery {
        self.send(event).await.unwrap_or_else(|failed| failed)
    }
}

impl MailSender {
    async fn send(&self, event: &OutboxEvent) -> Result<Delivery, Delivery> {
        let mail: BookingMail = event.read()?;
        let booking = self.store.get(mail.reservation_id).await.map_err(|error| after_store(&error))?;
        let booking = booking.ok_or_else(|| Delivery::DeadLetter("there is no such reservation".to_owned()))?;
        let kind = match event.kind.as_str() {
            BOOKING_CONFIRMED => "booking-confirmed",
            BOOKING_CHANGED => "booking-changed",
            BOOKING_CANCELLED => "booking-cancelled",
            other => return Err(Delivery::DeadLetter(format!("unknown event kind {other}"))),
        };
        // It ended before this was sent: a cancellation has a mail of its own, a no-show has none.
        if event.kind != BOOKING_CANCELLED && booking.status != Status::Paid {
            return Ok(Delivery::Done);
        }
        // It was changed again before this was sent, which has a mail of its own. A change that was given up has none.
        if let Some(change) = mail.change.as_ref().filter(|change| change.revision != booking.revision) {
            let overtaken = self.store.was_changed_after(mail.reservation_id, change.revision).await;
            if overtaken.map_err(|error| after_store(&error))? {
                return Ok(Delivery::Done);
            }
        }
        let user_id: UserId =
            booking.owner.parse().map_err(|_| Delivery::DeadLetter("the owner is no user".to_owned()))?;
        let expire_time = key_expire_time(&booking).map_err(|_| out_of_range())?;
        let mail_id = mail_id(&booking, event.event_id);
        let recipient = self.recipients.recipient(user_id, mail_id, expire_time).await;
        let Some(recipient) = recipient.map_err(|status| after("identity", &status))? else {
            return Ok(Delivery::Done);
        };
        let text = self.text(&booking, &mail, &recipient).await?;
        let revision = mail.change.as_ref().map(|change| format!("-{}", change.revision)).unwrap_or_default();
        let id = format!("{kind}-{}{revision}", booking.id);
        let mail = Mail { id, to: recipient.email, subject: text.subject, text: text.body };
        Ok(self.mailer.send(&mail).await.map_or_else(MailError::delivery, |()| Delivery::Done))
    }

    async fn text(&self, booking: &Reservation, mail: &BookingMail, to: &Recipient) -> Result<Text, Delivery> {
        let names = self.names.names(booking.id.hotel_id(), booking.room_types()).await;
        let names = names.map_err(|status| after("hotel", &status))?;
        let link = self.link(booking, to);
        let booking = Booking { reservation: booking, names: &names, link: &link, keyed: to.key.is_some() };
        let currency = booking.reservation.quote.currency();
        let money = |amount: &String| {
            Money::parse(currency.code(), amount)
                .map_err(|_| Delivery::DeadLetter("an amount cannot be read".to_owned()))
        };
        let refund = mail.refund_amount.as_ref().map(money).transpose()?;
        if let Some(change) = &mail.change {
            let date = |text: &str| {
                parse_date(text).map_err(|_| Delivery::DeadLetter("a date of the change cannot be read".to_owned()))
            };
            let before =
                (date(&change.check_in_before)?, date(&change.check_out_before)?, money(&change.price_before)?);
            let paid = change.paid_amount.as_ref().map(money).transpose()?;
            return Ok(Text::changed(to.language, &booking, &Changed { before, paid, refund }));
        }
        let Some(refund) = refund else {
            return Text::confirmed(to.language, &booking).map_err(|error| Delivery::DeadLetter(error.to_string()));
        };
        Ok(Text::cancelled(to.language, &booking, refund))
    }

    /// The link to the booking on the website. The key is in the fragment, which no server sees.
    fn link(&self, booking: &Reservation, to: &Recipient) -> String {
        let key = to.key.as_ref().map(|key| format!("&key={}", key.expose_secret())).unwrap_or_default();
        self.site.link("/booking", &format!("reservation={}{key}&lang={}", booking.id, to.language.code()))
    }
}

/// Names a mail in every attempt to send it: half of the id of the reservation, and the number of the event.
fn mail_id(booking: &Reservation, event_id: i64) -> Uuid {
    Uuid::from_u64_pair(booking.id.as_uuid().as_u64_pair().0, event_id.unsigned_abs())
}

fn key_expire_time(booking: &Reservation) -> Result<Timestamp, DateOutOfRange> {
    midnight_utc(booking.stay.check_out())?.checked_add(KEY_LIFE).map_err(|_| DateOutOfRange)
}

fn out_of_range() -> Delivery {
    Delivery::DeadLetter("a date is out of range".to_owned())
}

/// What the relay does when the own database failed.
fn after_store(error: &ReservationError) -> Delivery {
    match error {
        ReservationError::Store(StoreError::Unavailable(_)) => Delivery::Unavailable("the database".to_owned()),
        _ => Delivery::Retry("the reservation cannot be read".to_owned()),
    }
}

/// What the relay does after a failed look-up in another service.
fn after(service: &str, status: &GrpcStatus) -> Delivery {
    let reason = format!("{service}: {:?}", status.code());
    match status.code() {
        // Unimplemented: the service is of the release before.
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Unauthenticated | Code::Unimplemented => {
            Delivery::Unavailable(reason)
        }
        Code::InvalidArgument => Delivery::DeadLetter(reason),
        _ => Delivery::Retry(reason),
    }
}

#[cfg(test)]
mod tests;
