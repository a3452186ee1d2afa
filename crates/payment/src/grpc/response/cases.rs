//! Reconciliation cases.

use staymesh_api::{payment::v1 as proto, r#type::v1::Money as ProtoMoney};
use staymesh_domain::{Currency, Money};
use staymesh_mesh::proto_types::{money, timestamp};
use uuid::Uuid;

use crate::reconcile::model::{Case, CaseKind, Resolution, State, Subject, Sum};

/// A case.
pub(in crate::grpc) fn case(case: Case) -> proto::ReconciliationCase {
    let (can_replay, etag) = (case.can_replay(), case.etag());
    let finding = case.finding;
    let id = |id: Option<Uuid>| id.map(|id| id.to_string()).unwrap_or_default();
    proto::ReconciliationCase {
        case_id: case.case_id.to_string(),
        day: finding.day.to_string(),
        kind: kind(finding.kind).into(),
        subject: subject(finding.subject).into(),
        subject_id: finding.subject_id,
        psp_id: finding.psp_id.unwrap_or_default(),
        payment_id: id(finding.payment_id),
        reservation_id: id(finding.reservation_id),
        expected_amount: finding.expected.map(amount),
        found_amount: finding.found.map(amount),
        detail: finding.detail,
        state: state(case.state).into(),
        owner: case.owner.unwrap_or_default(),
        note: case.note,
        resolution: resolution(case.resolution).into(),
        can_replay,
        create_time: Some(timestamp(case.create_time)),
        find_time: Some(timestamp(case.find_time)),
        update_time: Some(timestamp(case.update_time)),
        replay_time: case.replay_time.map(timestamp),
        etag,
    }
}

/// An amount in the decimals of its currency. One that is no valid [`Money`], such as one in an unknown currency, is in
/// minor units.
fn amount((minor, code): Sum) -> ProtoMoney {
    let known = code.parse::<Currency>().ok().and_then(|currency| Money::from_minor(minor, currency).ok());
    known.map_or_else(|| ProtoMoney { currency_code: code, amount: minor.to_string() }, money)
}

pub(in crate::grpc) const fn kind(kind: CaseKind) -> proto::CaseKind {
    match kind {
        CaseKind::MissingAtPsp => proto::CaseKind::MissingAtPsp,
        CaseKind::MissingHere => proto::CaseKind::MissingHere,
        CaseKind::Amount => proto::CaseKind::Amount,
        CaseKind::Currency => proto::CaseKind::Currency,
        CaseKind::Duplicate => proto::CaseKind::Duplicate,
        CaseKind::Status => proto::CaseKind::Status,
        CaseKind::Wallet => proto::CaseKind::Wallet,
        CaseKind::Reservation => proto::CaseKind::Reservation,
    }
}

const fn subject(subject: Subject) -> proto::CaseSubject {
    match subject {
        Subject::Charge => proto::CaseSubject::Charge,
        Subject::Refund => proto::CaseSubject::Refund,
        Subject::Transfer => proto::CaseSubject::Transfer,
        Subject::Wallet => proto::CaseSubject::Wallet,
        Subject::Payment => proto::CaseSubject::Payment,
        Subject::Other => proto::CaseSubject::Other,
    }
}

pub(in crate::grpc) const fn state(state: State) -> proto::CaseState {
    match state {
        State::Open => proto::CaseState::Open,
        State::Assigned => proto::CaseState::Assigned,
        State::Resolved => proto::CaseState::Resolved,
    }
}

const fn resolution(resolution: Option<Resolution>) -> proto::CaseResolution {
    match resolution {
        None => proto::CaseResolution::Unspecified,
        Some(Resolution::Gone) => proto::CaseResolution::Gone,
        Some(Resolution::Settled) => proto::CaseResolution::Settled,
    }
}
