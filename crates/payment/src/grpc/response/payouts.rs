//! Payouts and their statements.

use staymesh_api::payment::v1 as proto;
use staymesh_domain::{Currency, Money, format_date};
use staymesh_mesh::{
    Problem,
    proto_types::{money, timestamp},
};

use crate::{
    payouts::{LineKind, Payout, Shares, StatementLine, TransferStatus},
    service::Statement,
};

/// A payout with the state of its latest transfer.
pub(in crate::grpc) fn payout(payout: Payout) -> proto::PayOut {
    proto::PayOut {
        payout_id: payout.payout_id.to_string(),
        hotel_id: payout.hotel_id.get(),
        amount: Some(money(payout.amount)),
        status: match payout.status {
            TransferStatus::Requested => proto::PayOutStatus::Requested,
            TransferStatus::Paid => proto::PayOutStatus::Paid,
            TransferStatus::Failed => proto::PayOutStatus::Failed,
        }
        .into(),
        failure: payout.failure.unwrap_or_default(),
        cutoff_date: format_date(payout.cutoff),
        line_count: payout.lines,
        create_time: Some(timestamp(payout.create_time)),
        end_time: payout.end_time.map(timestamp),
    }
}

/// A page of a statement, with the totals of all lines.
///
/// # Errors
/// An internal error if a share is out of the range of an amount, which the constraints of the database exclude.
pub(in crate::grpc) fn statement(statement: Statement) -> Result<proto::GetPayOutStatementResponse, Problem> {
    let currency = statement.payout.amount.currency();
    let lines: Result<_, Problem> = statement.lines.iter().map(|each| line(each, currency)).collect();
    Ok(proto::GetPayOutStatementResponse {
        totals: Some(shares(statement.totals, currency)?),
        lines: lines?,
        pay_out: Some(payout(statement.payout)),
        next_page_token: statement.next_page_token,
    })
}

fn line(line: &StatementLine, currency: Currency) -> Result<proto::PayOutLine, Problem> {
    let kind = match line.kind {
        LineKind::Sale => proto::PayOutLineKind::Sale,
        LineKind::Refund => proto::PayOutLineKind::Refund,
        LineKind::Correction => proto::PayOutLineKind::Correction,
    };
    Ok(proto::PayOutLine {
        number: line.number,
        reservation_id: line.reservation_id.to_string(),
        check_out: format_date(line.check_out),
        kind: kind.into(),
        shares: Some(shares(line.shares, currency)?),
    })
}

fn shares(shares: Shares, currency: Currency) -> Result<proto::PayOutShares, Problem> {
    let amount = |minor| Money::from_minor(minor, currency).map(money).map_err(|error| Problem::internal(&error));
    Ok(proto::PayOutShares {
        gross: Some(amount(shares.gross)?),
        refunds: Some(amount(shares.refunds)?),
        tax: Some(amount(shares.tax)?),
        commission: Some(amount(shares.commission)?),
        net: Some(amount(shares.net)?),
    })
}
