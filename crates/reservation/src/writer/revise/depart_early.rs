//! Guests leave early: a revision with fewer nights, whose rooms complete.

use staymesh_domain::Money;

use super::{Request, Revising, RevisionCommand, RevisionOutcome, RevisionPlan};
use crate::{early_departure::Departed, error::ReservationError, room_status::RoomStatus, store::Waived};

impl Revising<'_> {
    pub(super) async fn depart_early(&mut self) -> Result<RevisionOutcome, ReservationError> {
        let RevisionCommand::DepartEarly { departure, request_id, content_hash, expected_refund } = &self.order.command
        else {
            return Ok(RevisionOutcome::Nothing);
        };
        if self.repeated(*request_id, content_hash).await?.is_some() {
            return Ok(RevisionOutcome::Nothing);
        }
        let departed = departure.of(&self.booking)?;
        let nothing = Money::zero(self.booking.quote.currency());
        let refund = match &departed {
            Some(departed) => nothing.checked_sub(departed.change.balance)?,
            None => nothing,
        };
        if expected_refund.is_some_and(|expected| expected != refund) {
            return Err(ReservationError::CancelTermsChanged { refund });
        }
        let Some(Departed { change, completed, due }) = departed else {
            return Ok(RevisionOutcome::Nothing);
        };
        self.end_pending().await?;
        let plan = RevisionPlan::depart(&self.booking, &change)?;
        let request = Request { id: Some(*request_id), content_hash, reason: "left_early", limits: None };
        self.carry_out(&plan, Some(&request)).await?;
        if let Some(waiver) = &departure.waiver {
            let (booking, origin) = (&self.booking, self.order.origin.as_ref());
            let waived = Waived { booking, waiver, policy: due, departure: Some(*request_id), origin };
            self.transaction.record_waiver(&waived).await?;
        }
        if !completed.is_empty() {
            let (completes, today) = (RoomStatus::Completed, departure.today);
            self.transaction.set_room_status(&self.booking, &completed, completes, today, &self.order.actor).await?;
        }
        Ok(RevisionOutcome::Changed)
    }
}
