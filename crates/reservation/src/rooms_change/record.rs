//! The persisted JSON form of a [`RoomsChange`], in change tokens and in `reservation_change.document`. Rooms name their
//! price by its index, because many have the same one. It must not change.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use staymesh_domain::{Currency, Money, Party, RoomTypeId, StayDates};

use super::{PlacedRoom, RoomsChange};
use crate::{quote::Quote, room_line::RoomLine, room_status::RoomStatus};

/// The JSON object.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ChangeRecord {
    kept: Vec<i32>,
    rooms: Vec<RoomRecord>,
    prices: Vec<Quote>,
    currency: String,
    penalty_minor: i64,
    balance_minor: i64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct RoomRecord {
    position: i32,
    room_type_id: i32,
    check_in: Date,
    check_out: Date,
    adults: i32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    child_ages: Vec<i32>,
    /// Index into `prices`.
    price: usize,
}

/// A record that this service does not write.
#[derive(Debug, thiserror::Error)]
#[error("the record is no change")]
pub(crate) struct RecordError;

impl TryFrom<ChangeRecord> for RoomsChange {
    type Error = RecordError;

    fn try_from(record: ChangeRecord) -> Result<Self, RecordError> {
        let currency: Currency = record.currency.parse().map_err(|_| RecordError)?;
        let money = |minor| Money::from_minor(minor, currency).map_err(|_| RecordError);
        let room = |room: RoomRecord| {
            let line = RoomLine {
                room_type_id: RoomTypeId::try_from(room.room_type_id).map_err(|_| RecordError)?,
                stay: StayDates::new(room.check_in, room.check_out).map_err(|_| RecordError)?,
                party: Party::new(room.adults, room.child_ages).map_err(|_| RecordError)?,
                quote: record.prices.get(room.price).ok_or(RecordError)?.clone(),
                status: RoomStatus::Live,
            };
            Ok(PlacedRoom { position: room.position, line })
        };
        Ok(Self {
            kept: record.kept,
            rooms: record.rooms.into_iter().map(room).collect::<Result<_, _>>()?,
            penalty: money(record.penalty_minor)?,
            balance: money(record.balance_minor)?,
        })
    }
}

impl From<&RoomsChange> for ChangeRecord {
    fn from(change: &RoomsChange) -> Self {
        let mut prices: Vec<Quote> = Vec::new();
        let room = |PlacedRoom { position, line }: &PlacedRoom| {
            let price = prices.iter().position(|known| *known == line.quote).unwrap_or(prices.len());
            if price == prices.len() {
                prices.push(line.quote.clone());
            }
            RoomRecord {
                position: *position,
                room_type_id: line.room_type_id.get(),
                check_in: line.stay.check_in(),
                check_out: line.stay.check_out(),
                adults: line.party.adults(),
                child_ages: line.party.child_ages().to_vec(),
                price,
            }
        };
        let rooms = change.rooms.iter().map(room).collect();
        Self {
            kept: change.kept.clone(),
            rooms,
            prices,
            currency: change.penalty.currency().code().to_owned(),
            penalty_minor: change.penalty.minor(),
            balance_minor: change.balance.minor(),
        }
    }
}
