//! Texts of mails about bookings, in every language.

use jiff::civil::Date;
use staymesh_domain::{Deadline, Language, Money, RoomTypeId};
use staymesh_mail::greeting;

use super::format::{minute, money};
use crate::{
    clients::StayNames,
    model::{CancellationReason, Reservation},
    quote::QuoteError,
};

/// Subject and body of a mail.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) subject: String,
    pub(super) body: String,
}

/// What a text is about.
pub(super) struct Booking<'a> {
    pub(super) reservation: &'a Reservation,
    pub(super) names: &'a StayNames,
    /// Address of the booking on the website.
    pub(super) link: &'a str,
    /// Whether the link opens the booking without a login.
    pub(super) keyed: bool,
}

/// What a change did.
pub(super) struct Changed {
    /// Check-in, check-out and price before.
    pub(super) before: (Date, Date, Money),
    /// What was paid for it.
    pub(super) paid: Option<Money>,
    /// What is paid back.
    pub(super) refund: Option<Money>,
}

/// The words of one language. `{}` stands for what differs between bookings.
struct Words {
    confirmed_subject: &'static str,
    confirmed: &'static str,
    changed_subject: &'static str,
    changed: &'static str,
    /// Arrival, departure, price.
    before_change: &'static str,
    paid_for_change: &'static str,
    change_is_free: &'static str,
    cancelled_subject: &'static str,
    cancelled: &'static str,
    cancelled_by_hotel: &'static str,
    /// Hotel, arrival, departure, rooms, guests, price, number.
    labels: [&'static str; 7],
    free_until: &'static str,
    free: &'static str,
    kept_until: &'static str,
    kept: &'static str,
    kept_now: &'static str,
    refund: &'static str,
    no_refund: &'static str,
    open: &'static str,
    see: &'static str,
    private: &'static str,
}

const ENGLISH: Words = Words {
    confirmed_subject: "Your booking is confirmed: {}",
    confirmed: "Your payment has arrived and your booking is confirmed.",
    changed_subject: "Your booking was changed: {}",
    changed: "Your booking was changed. It is now:",
    before_change: "Before the change: {} to {}, {}.",
    paid_for_change: "You paid {} for the change.",
    change_is_free: "The change costs nothing, and nothing is paid back.",
    cancelled_subject: "Your booking is cancelled: {}",
    cancelled: "Your booking is cancelled.",
    cancelled_by_hotel: "The hotel had to cancel your booking. We are sorry.",
    labels: ["Hotel", "Arrival", "Departure", "Rooms", "Guests", "Price with taxes", "Booking number"],
    free_until: "You can cancel free of charge until {} (local time at the hotel).",
    free: "You can cancel free of charge.",
    kept_until: "If you cancel by {}, {} is kept.",
    kept: "If you cancel later, {} is kept.",
    kept_now: "If you cancel, {} is kept.",
    refund: "We pay {} back in the way you paid.",
    no_refund: "By the terms of this booking nothing is paid back.",
    open: "See or cancel your booking here:",
    see: "See your booking here:",
    private: "Whoever has this link has access to your booking. Please do not pass it on.",
};
const PORTUGUESE: Words = Words {
    confirmed_subject: "A sua reserva está confirmada: {}",
    confirmed: "O seu pagamento chegou e a sua reserva está confirmada.",
    changed_subject: "A sua reserva foi alterada: {}",
    changed: "A sua reserva foi alterada. Agora é:",
    before_change: "Antes da alteração: de {} a {}, {}.",
    paid_for_change: "Pagou {} pela alteração.",
    change_is_free: "A alteração não tem custos e nada é devolvido.",
    cancelled_subject: "A sua reserva foi cancelada: {}",
    cancelled: "A sua reserva foi cancelada.",
    cancelled_by_hotel: "O hotel teve de cancelar a sua reserva. Lamentamos.",
    labels: ["Hotel", "Chegada", "Partida", "Quartos", "Hóspedes", "Preço com impostos", "Número da reserva"],
    free_until: "Pode cancelar gratuitamente até {} (hora local do hotel).",
    free: "Pode cancelar gratuitamente.",
    kept_until: "Se cancelar até {}, são retidos {}.",
    kept: "Se cancelar mais tarde, são retidos {}.",
    kept_now: "Se cancelar, são retidos {}.",
    refund: "Devolvemos {} pelo meio com que pagou.",
    no_refund: "Segundo as condições desta reserva, nada é devolvido.",
    open: "Veja ou cancele a sua reserva aqui:",
    see: "Veja a sua reserva aqui:",
    private: "Quem tiver esta ligação tem acesso à sua reserva. Não a partilhe.",
};
const GERMAN: Words = Words {
    confirmed_subject: "Ihre Buchung ist bestätigt: {}",
    confirmed: "Ihre Zahlung ist eingegangen und Ihre Buchung ist bestätigt.",
    changed_subject: "Ihre Buchung wurde geändert: {}",
    changed: "Ihre Buchung wurde geändert. Sie lautet jetzt:",
    before_change: "Vor der Änderung: {} bis {}, {}.",
    paid_for_change: "Für die Änderung haben Sie {} bezahlt.",
    change_is_free: "Die Änderung kostet nichts, und nichts wird zurückgezahlt.",
    cancelled_subject: "Ihre Buchung ist storniert: {}",
    cancelled: "Ihre Buchung ist storniert.",
    cancelled_by_hotel: "Das Hotel musste Ihre Buchung stornieren. Das tut uns leid.",
    labels: ["Hotel", "Anreise", "Abreise", "Zimmer", "Gäste", "Preis mit Steuern", "Buchungsnummer"],
    free_until: "Sie können bis {} (Ortszeit des Hotels) kostenlos stornieren.",
    free: "Sie können kostenlos stornieren.",
    kept_until: "Bei einer Stornierung bis {} werden {} einbehalten.",
    kept: "Bei einer späteren Stornierung werden {} einbehalten.",
    kept_now: "Bei einer Stornierung werden {} einbehalten.",
    refund: "Wir zahlen {} auf dem Weg zurück, auf dem Sie bezahlt haben.",
    no_refund: "Nach den Bedingungen dieser Buchung wird nichts zurückgezahlt.",
    open: "Hier sehen oder stornieren Sie Ihre Buchung:",
    see: "Hier sehen Sie Ihre Buchung:",
    private: "Wer diesen Link hat, hat Zugriff auf Ihre Buchung. Bitte geben Sie ihn nicht weiter.",
};
const SPANISH: Words = Words {
    confirmed_subject: "Su reserva está confirmada: {}",
    confirmed: "Su pago ha llegado y su reserva está confirmada.",
    changed_subject: "Su reserva se ha modificado: {}",
    changed: "Su reserva se ha modificado. Ahora es:",
    before_change: "Antes del cambio: del {} al {}, {}.",
    paid_for_change: "Ha pagado {} por el cambio.",
    change_is_free: "El cambio no cuesta nada y no se devuelve nada.",
    cancelled_subject: "Su reserva está cancelada: {}",
    cancelled: "Su reserva está cancelada.",
    cancelled_by_hotel: "El hotel ha tenido que cancelar su reserva. Lo sentimos.",
    labels: ["Hotel", "Llegada", "Salida", "Habitaciones", "Huéspedes", "Precio con impuestos", "Número de reserva"],
    free_until: "Puede cancelar gratis hasta el {} (hora local del hotel).",
    free: "Puede cancelar gratis.",
    kept_until: "Si cancela hasta el {}, se retienen {}.",
    kept: "Si cancela más tarde, se retienen {}.",
    kept_now: "Si cancela, se retienen {}.",
    refund: "Le devolvemos {} por el mismo medio con el que pagó.",
    no_refund: "Según las condiciones de esta reserva, no se devuelve nada.",
    open: "Vea o cancele su reserva aquí:",
    see: "Vea su reserva aquí:",
    private: "Quien tenga este enlace tiene acceso a su reserva. No lo comparta.",
};
const FRENCH: Words = Words {
    confirmed_subject: "Votre réservation est confirmée : {}",
    confirmed: "Votre paiement est arrivé et votre réservation est confirmée.",
    changed_subject: "Votre réservation a été modifiée : {}",
    changed: "Votre réservation a été modifiée. La voici :",
    before_change: "Avant la modification : du {} au {}, {}.",
    paid_for_change: "Vous avez payé {} pour la modification.",
    change_is_free: "La modification ne coûte rien, et rien n'est remboursé.",
    cancelled_subject: "Votre réservation est annulée : {}",
    cancelled: "Votre réservation est annulée.",
    cancelled_by_hotel: "L'hôtel a dû annuler votre réservation. Nous en sommes désolés.",
    labels: ["Hôtel", "Arrivée", "Départ", "Chambres", "Voyageurs", "Prix taxes comprises", "Numéro de réservation"],
    free_until: "Vous pouvez annuler sans frais jusqu'au {} (heure locale de l'hôtel).",
    free: "Vous pouvez annuler sans frais.",
    kept_until: "Si vous annulez jusqu'au {}, {} sont retenus.",
    kept: "Si vous annulez plus tard, {} sont retenus.",
    kept_now: "Si vous annulez, {} sont retenus.",
    refund: "Nous remboursons {} par le moyen qui a servi au paiement.",
    no_refund: "Selon les conditions de cette réservation, rien n'est remboursé.",
    open: "Consultez ou annulez votre réservation ici :",
    see: "Consultez votre réservation ici :",
    private: "Toute personne qui a ce lien a accès à votre réservation. Ne le transmettez pas.",
};

const fn words(language: Language) -> &'static Words {
    match language {
        Language::English => &ENGLISH,
        Language::Portuguese => &PORTUGUESE,
        Language::German => &GERMAN,
        Language::Spanish => &SPANISH,
        Language::French => &FRENCH,
    }
}

impl Text {
    /// A booking that is paid for.
    ///
    /// # Errors
    /// When amounts of its rooms cannot be added up.
    pub(super) fn confirmed(language: Language, booking: &Booking<'_>) -> Result<Self, QuoteError> {
        let words = words(language);
        let terms = terms(language, booking)?;
        let parts = Parts { first: words.confirmed, terms: &terms, link: words.open };
        let subject = filled(words.confirmed_subject, &booking.names.hotel);
        Ok(Self { subject, body: body(language, booking, &parts) })
    }

    /// A paid booking that was changed: what it is now and was before, and what was paid or is paid back.
    pub(super) fn changed(language: Language, booking: &Booking<'_>, change: &Changed) -> Self {
        let words = words(language);
        let (check_in, check_out, price) = change.before;
        let before = [language.date(check_in), language.date(check_out), money(language, price)];
        let before = before.iter().fold(words.before_change.to_owned(), |text, value| filled(&text, value));
        let balance = match (change.paid, change.refund) {
            (Some(paid), _) => filled(words.paid_for_change, &money(language, paid)),
            (None, Some(refund)) => filled(words.refund, &money(language, refund)),
            (None, None) => words.change_is_free.to_owned(),
        };
        let parts = Parts { first: words.changed, terms: &format!("{before} {balance}"), link: words.open };
        Self { subject: filled(words.changed_subject, &booking.names.hotel), body: body(language, booking, &parts) }
    }

    /// A paid booking that was cancelled, and what is paid back.
    pub(super) fn cancelled(language: Language, booking: &Booking<'_>, refund: Money) -> Self {
        let words = words(language);
        let paid_back = match refund.minor() {
            0 => words.no_refund.to_owned(),
            _ => filled(words.refund, &money(language, refund)),
        };
        let by_hotel = booking.reservation.cancellation_reason == Some(CancellationReason::ByHotel);
        let first = if by_hotel { words.cancelled_by_hotel } else { words.cancelled };
        let parts = Parts { first, terms: &paid_back, link: words.see };
        Self { subject: filled(words.cancelled_subject, &booking.names.hotel), body: body(language, booking, &parts) }
    }
}

/// What differs between mails: what happened, what that means for the money, and what the link is for.
struct Parts<'a> {
    first: &'a str,
    terms: &'a str,
    link: &'a str,
}

/// The terms of cancelling. They do not depend on the time of sending, so that every attempt sends the same text.
fn terms(language: Language, booking: &Booking<'_>) -> Result<String, QuoteError> {
    let (words, reservation) = (words(language), booking.reservation);
    let since = reservation.paid_time.unwrap_or(reservation.create_time);
    let mut deadlines = reservation.deadlines()?;
    deadlines.retain(|deadline| deadline.until.is_none_or(|until| since < until));
    let only = deadlines.len() == 1;
    let sentence = |deadline: &Deadline| {
        let kept = money(language, deadline.penalty);
        let until = deadline.until.map(|until| minute(language, until, &booking.names.zone));
        match (until, deadline.penalty.minor()) {
            (None, 0) => words.free.to_owned(),
            (None, _) => filled(if only { words.kept_now } else { words.kept }, &kept),
            (Some(until), 0) => filled(words.free_until, &until),
            (Some(until), _) => filled(&filled(words.kept_until, &until), &kept),
        }
    };
    Ok(deadlines.iter().map(sentence).collect::<Vec<_>>().join(" "))
}

fn body(language: Language, booking: &Booking<'_>, parts: &Parts<'_>) -> String {
    let (words, reservation) = (words(language), booking.reservation);
    let [hotel, arrival, departure, rooms, guests, price, number] = words.labels;
    let lines = [
        (hotel, booking.names.hotel.clone()),
        (arrival, language.date(reservation.stay.check_in())),
        (departure, language.date(reservation.stay.check_out())),
        (rooms, room_names(booking)),
        (guests, reservation.guest_count().to_string()),
        (price, money(language, reservation.quote.total)),
        (number, reservation.id.to_string()),
    ];
    let colon = if language == Language::French { " :" } else { ":" };
    let lines = lines.map(|(label, value)| format!("{label}{colon} {value}")).join("\n");
    let private = if booking.keyed { format!("\n\n{}", words.private) } else { String::new() };
    let Parts { first, terms, link } = parts;
    let greeting = greeting(language);
    format!("{greeting}\n\n{first}\n\n{lines}\n\n{terms}\n\n{link}\n\n{}{private}\n", booking.link)
}

/// The rooms by type, in the order of the booking: `2 × Double room, 1 × Single room`.
fn room_names(booking: &Booking<'_>) -> String {
    let mut counts: Vec<(RoomTypeId, i32)> = Vec::new();
    for line in &booking.reservation.lines {
        match counts.iter_mut().find(|(room_type, _)| *room_type == line.room_type_id) {
            Some((_, count)) => *count += 1,
            None => counts.push((line.room_type_id, 1)),
        }
    }
    let name = |room_type| booking.names.room_types.get(room_type).map_or("", String::as_str);
    let names: Vec<_> = counts.iter().map(|(room_type, count)| format!("{count} × {}", name(room_type))).collect();
    names.join(", ")
}

fn filled(words: &str, text: &str) -> String {
    words.replacen("{}", text, 1)
}

#[cfg(test)]
mod tests;
