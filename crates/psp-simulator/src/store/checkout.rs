//! The transitions of a session until it ends.

use super::{Outcome, Store};
use crate::{
    cards::{AfterChallenge, Decline, Effect},
    error::Refusal,
    event::Event,
    faults::{Decision, ReviewPlan, Switches},
    model::{Order, Review, Session, SessionStatus, id_for, secret_id},
};

/// Declined cards after which a session fails.
pub(crate) const MAX_DECLINES: usize = 5;

impl Store {
    /// Creates a session. Idempotent by key.
    pub(crate) fn create(&mut self, key: &str, order: Order, switches: Switches, now: i64) -> Result<Session, Refusal> {
        if let Some(session) = self.keys.get(key).and_then(|id| self.sessions.get(id)) {
            return if session.order == order { Ok(session.clone()) } else { Err(Refusal::KeyReused) };
        }
        if order.expires_at <= now {
            return Err(Refusal::invalid("expires_at", "must be in the future"));
        }
        if self.sessions.len() >= self.max_sessions {
            return Err(Refusal::Full);
        }
        let session = Session {
            id: id_for("cs", key),
            token: secret_id("pay"),
            status: SessionStatus::Open,
            order,
            created: now,
            updated: now,
            paid: None,
            idempotency_key: key.to_owned(),
            refunds: Vec::new(),
            declines: Vec::new(),
            challenge: None,
            review: None,
            switches,
        };
        self.save_session(&session)?;
        Ok(session)
    }

    /// Applies the effect of a card to an open session. A review without a plan is approved after `review_seconds`, or waits
    /// for a decision if that is `None`.
    pub(crate) fn use_card(
        &mut self,
        id: &str,
        effect: Effect,
        review_seconds: Option<u32>,
        now: i64,
    ) -> Result<Outcome<Session>, Refusal> {
        self.change(id, now, |session| match effect {
            // An open challenge must be answered first, which bounds the state file.
            _ if session.challenge.is_some() => {}
            Effect::Pays | Effect::PaysWithoutAnswer => session.status = SessionStatus::Paid,
            Effect::PaysWithWebhookFault(fault) => {
                session.status = SessionStatus::Paid;
                session.switches.webhook = Some(fault);
            }
            Effect::Declines(why) => decline(session, why),
            Effect::Challenges(after) => session.challenge = Some(after),
            Effect::Reviews(plan) => {
                let by_default =
                    review_seconds.map(|after_seconds| ReviewPlan { decision: Decision::Approve, after_seconds });
                let plan = session.switches.review.or(plan).or(by_default);
                let planned = plan.map(|plan| (now + i64::from(plan.after_seconds), plan.decision));
                session.review = Some(Review { planned, decision: None });
                session.status = SessionStatus::InReview;
            }
        })
    }

    /// Answers the open 3-D Secure challenge. Without one nothing changes.
    pub(crate) fn answer_challenge(
        &mut self,
        id: &str,
        answer: Decision,
        now: i64,
    ) -> Result<Outcome<Session>, Refusal> {
        self.change(id, now, |session| match (session.challenge.take(), answer) {
            (None, _) => {}
            (Some(_), Decision::Reject) => decline(session, Decline::AuthenticationFailed),
            (Some(AfterChallenge::Pays), Decision::Approve) => session.status = SessionStatus::Paid,
            (Some(AfterChallenge::Declines), Decision::Approve) => decline(session, Decline::InsufficientFunds),
        })
    }

    /// Decides a review. Idempotent.
    pub(crate) fn decide(&mut self, id: &str, decision: Decision, now: i64) -> Result<Outcome<Session>, Refusal> {
        let mut session = self.get(id)?;
        let review = session.review.as_mut().ok_or(Refusal::NotInReview)?;
        match review.decision {
            Some(before) if before == decision => return Ok(Outcome { value: session, event: None }),
            Some(_) => return Err(Refusal::NotInReview),
            None => review.decision = Some(decision),
        }
        session.status = match decision {
            Decision::Approve => SessionStatus::Paid,
            Decision::Reject => SessionStatus::Failed,
        };
        self.changed(session, now)
    }

    /// Ends an open session with status `to`, or as expired if it is overdue. Other sessions stay unchanged.
    pub(crate) fn end(&mut self, id: &str, to: SessionStatus, now: i64) -> Result<Outcome<Session>, Refusal> {
        self.change(id, now, |session| session.status = to)
    }

    /// Ids of open sessions past their expiry.
    pub(crate) fn overdue(&self, now: i64) -> Vec<String> {
        let overdue = |session: &&Session| session.status == SessionStatus::Open && session.order.expires_at <= now;
        self.sessions.values().filter(overdue).map(|session| session.id.clone()).collect()
    }

    /// Ids of sessions whose planned review is due, with the decision.
    pub(crate) fn reviews_due(&self, now: i64) -> Vec<(String, Decision)> {
        let due = |session: &Session| {
            let (at, decision) = session.review?.planned?;
            (session.status == SessionStatus::InReview && at <= now).then(|| (session.id.clone(), decision))
        };
        self.sessions.values().filter_map(due).collect()
    }

    fn change(&mut self, id: &str, now: i64, change: impl FnOnce(&mut Session)) -> Result<Outcome<Session>, Refusal> {
        let mut session = self.get(id)?;
        if session.status != SessionStatus::Open {
            return Ok(Outcome { value: session, event: None });
        }
        let before = session.clone();
        if session.order.expires_at <= now {
            session.status = SessionStatus::Expired;
        } else {
            change(&mut session);
            if session == before {
                return Ok(Outcome { value: session, event: None });
            }
        }
        let mut changed = self.changed(session, now)?;
        if changed.event.is_none() && changed.value.declines.len() > before.declines.len() {
            changed.event = Some(Event::of_decline(&changed.value, now));
        }
        Ok(changed)
    }

    fn changed(&mut self, mut session: Session, now: i64) -> Result<Outcome<Session>, Refusal> {
        session.updated = now;
        if session.status != SessionStatus::Open {
            session.challenge = None;
        }
        if session.status == SessionStatus::Paid {
            session.paid = Some(now);
        }
        self.save_session(&session)?;
        let event = Event::of_session(&session, now);
        Ok(Outcome { value: session, event })
    }
}

fn decline(session: &mut Session, why: Decline) {
    session.challenge = None;
    session.declines.push(why);
    if why == Decline::Refused || session.declines.len() >= MAX_DECLINES {
        session.status = SessionStatus::Failed;
    }
}
