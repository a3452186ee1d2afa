//! Replays the events of a lane (one room type) in order.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context, Result, ensure};
use indicatif::ProgressBar;
use jiff::civil::Date;
use staymesh_api::{
    rate::v1::SetNightlyPricesRequest,
    reservation::v1::{
        CancelReservationRequest, CreateReservationRequest, Guest, PaymentMode, PrepareReservationRequest,
        PrepareReservationResponse, ReservationStatus, RoomRequest,
        reservation_service_client::ReservationServiceClient,
    },
};
use staymesh_domain::Money;
use staymesh_mesh::proto_types;
use tonic::Status;

use super::{
    admin::{Administrator, patiently},
    plan::{Event, Lane, Shift},
    recording::Row,
    sold::{Sold, email_of},
};
use crate::gateway::Authorized;

/// A booking that is made.
#[derive(Clone, Debug)]
pub(super) struct Booked {
    pub(super) reservation_id: String,
    pub(super) cancelled: bool,
    /// Made by a partner that no longer exists, so that the administrator must cancel it.
    pub(super) earlier: bool,
}

impl Booked {
    /// By an attempt before this one.
    pub(super) fn earlier(sold: &Sold) -> Self {
        Self { reservation_id: sold.reservation_id.clone(), cancelled: sold.is_cancelled(), earlier: true }
    }
}

/// Replays one lane.
pub(super) struct Player<'a> {
    pub(super) lane: &'a Lane,
    pub(super) hotel_id: i32,
    pub(super) room_type_id: i32,
    pub(super) shift: Shift,
    pub(super) admin: Administrator,
    /// The partner who sells it, at the public gateway.
    pub(super) partner: ReservationServiceClient<Authorized>,
    /// By row number; at first what an attempt before this one had made.
    pub(super) booked: HashMap<u64, Booked>,
    /// Prices set so far; no other player prices this room type.
    pub(super) prices: BTreeMap<Date, Money>,
}

impl Player<'_> {
    /// Everything that has not happened yet.
    pub(super) async fn play(mut self, bar: ProgressBar) -> Result<()> {
        let lane = self.lane;
        for event in &lane.events {
            let (Event::Book(at) | Event::Cancel(at)) = *event;
            let row = &lane.bookings[at];
            let done = match event {
                Event::Book(_) => self.book(row).await,
                Event::Cancel(_) => self.cancel(row).await,
            };
            done.with_context(|| format!("{}, room type {}, row {}", lane.hotel, lane.room_type, row.number))?;
            bar.inc(1);
        }
        Ok(())
    }

    async fn book(&mut self, row: &Row) -> Result<()> {
        if self.booked.contains_key(&row.number) {
            return Ok(());
        }
        self.set_price(row).await.context("setting the price")?;
        let form = self.prepare(row).await.context("preparing the booking")?;
        let request = CreateReservationRequest {
            reservation_id: form.reservation_id,
            offer_token: form.offer_token,
            primary_guest: Some(Guest { full_name: format!("Guest {}", row.number), email: email_of(row.number) }),
            payment_mode: PaymentMode::PartnerCollects.into(),
            ..CreateReservationRequest::default()
        };
        let made = patiently(async || {
            let answer = self.partner.clone().create_reservation(request.clone()).await?;
            match answer.get_ref().status() {
                // The payment service has not decided the sale yet; a repeat asks again.
                ReservationStatus::PendingPayment => Err(Status::unavailable("the sale is not decided yet")),
                _ => Ok(answer),
            }
        });
        let made = made.await.context("booking")?;
        ensure!(made.status() == ReservationStatus::Paid, "booked, but {:?}", made.status());
        let booked = Booked { reservation_id: made.reservation_id, cancelled: false, earlier: false };
        self.booked.insert(row.number, booked);
        Ok(())
    }

    /// Gives every night of the stay the price of this booking.
    async fn set_price(&mut self, row: &Row) -> Result<()> {
        let nights: Vec<Date> = row.stay.nights().map(|night| self.shift.there(night)).collect();
        if nights.iter().all(|night| self.prices.get(night) == Some(&row.price)) {
            return Ok(());
        }
        let request = SetNightlyPricesRequest {
            hotel_id: self.hotel_id,
            room_type_id: self.room_type_id,
            from_date: self.shift.there(row.stay.check_in()).to_string(),
            until_date: self.shift.there(row.stay.check_out()).to_string(),
            weekdays: Vec::new(),
            price: Some(proto_types::money(row.price)),
            etag: String::new(),
        };
        patiently(async || self.admin.rates.clone().set_nightly_prices(request.clone()).await).await?;
        self.prices.extend(nights.into_iter().map(|night| (night, row.price)));
        Ok(())
    }

    async fn prepare(&self, row: &Row) -> Result<PrepareReservationResponse> {
        let request = PrepareReservationRequest {
            hotel_id: self.hotel_id,
            check_in: self.shift.there(row.stay.check_in()).to_string(),
            check_out: self.shift.there(row.stay.check_out()).to_string(),
            rooms: vec![RoomRequest { room_type_id: self.room_type_id, adults: row.guests, ..RoomRequest::default() }],
            ..PrepareReservationRequest::default()
        };
        let form = patiently(async || self.partner.clone().prepare_reservation(request.clone()).await).await?;
        let offered = form.price.as_ref().and_then(|price| price.total.as_ref());
        let offered = proto_types::money_from(offered, "total").map_err(|error| anyhow::anyhow!("{error}"))?;
        ensure!(
            offered == row.price.checked_mul(row.stay.night_count())?,
            "offered for {offered} instead of {} nights at {}",
            row.stay.night_count(),
            row.price
        );
        Ok(form)
    }

    async fn cancel(&mut self, row: &Row) -> Result<()> {
        let booked = self.booked.get_mut(&row.number).context("cancelled before it is booked")?;
        if booked.cancelled {
            return Ok(());
        }
        let client = if booked.earlier { &self.admin.reservations } else { &self.partner };
        let request = CancelReservationRequest { reservation_id: booked.reservation_id.clone(), ..Default::default() };
        let answer = patiently(async || client.clone().cancel_reservation(request.clone()).await).await;
        let status = answer.context("cancelling")?.status();
        ensure!(
            matches!(status, ReservationStatus::Cancelled | ReservationStatus::Refunded),
            "cancelled, but {status:?}"
        );
        booked.cancelled = true;
        Ok(())
    }
}
