//! Payouts and their lines.

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
pub(in crate::grpc) fn payout(payout: Payout) -> proto::Payout {
    proto::Payout {
        payout_id: payout.payout_id.to_string(),
        hotel_id: payout.hotel_id.get(),
        amount: Some(money(payout.amount)),
        status: match payout.status {
            TransferStatus::Requested => proto::PayoutStatus::Requested,
            TransferStatus::Paid => proto::PayoutStatus::Paid,
            TransferStatus::Failed => proto::PayoutStatus::Failed,
        }
        .into(),
        failure: payout.failure.unwrap_or_default(),
        cutoff_date: format_date(payout.cutoff),
        line_count: payout.lines,
        create_time: Some(timestamp(payout.create_time)),
        end_time: payout.end_time.map(timestamp),
    }
}

/// A page of lines, with the totals of all lines.
///
/// # Errors
/// An internal error if a share is out of the range of an amount, which the constraints of the database exclude.
pub(in crate::grpc) fn lines(statement: Statement) -> Result<proto::ListPayoutLinesResponse, Problem> {
    let currency = statement.currency;
    let lines: Result<_, Problem> = statement.lines.iter().map(|each| line(each, currency)).collect();
    Ok(proto::ListPayoutLinesResponse {
        lines: lines?,
        next_page_token: statement.next_page_token,
        totals: Some(shares(statement.totals, currency)?),
    })
}

fn line(line: &StatementLine, currency: Currency) -> Result<proto::PayoutLine, Problem> {
    let kind = match line.kind {
        LineKind::Sale => proto::PayoutLineKind::Sale,
        LineKind::Refund => proto::PayoutLineKind::Refund,
        LineKind::Correction => proto::PayoutLineKind::Correction,
    };
    Ok(proto::PayoutLine {
        number: line.number,
        reservation_id: line.reservation_id.to_string(),
        check_out: format_date(line.check_out),
        kind: kind.into(),
        shares: Some(shares(line.shares, currency)?),
    })
}

fn shares(shares: Shares, currency: Currency) -> Result<proto::PayoutShares, Problem> {
    let amount = |minor| Money::from_minor(minor, currency).map(money).map_err(|error| Problem::internal(&error));
    Ok(proto::PayoutShares {
        gross: Some(amount(shares.gross)?),
        refunds: Some(amount(shares.refunds)?),
        tax: Some(amount(shares.tax)?),
        commission: Some(amount(shares.commission)?),
        net: Some(amount(shares.net)?),
    })
}
