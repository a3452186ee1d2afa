//! Payouts between the contract and the domain.

use staymesh_api::payment::v1 as proto;
use staymesh_domain::{Currency, FieldError, HotelId, Money, Page, format_date};
use staymesh_mesh::{
    Problem,
    proto_types::{money, timestamp},
};
use uuid::Uuid;

use crate::{
    payouts::{LineKind, Payout, Shares, StatementLine, TransferStatus},
    service::Statement,
};

/// Longest name that a provider may have for a hotel's account.
const MAX_DESTINATION: usize = 200;

pub(super) fn read_list(request: &proto::ListPayOutsRequest) -> Result<(HotelId, Page<Uuid>), FieldError> {
    let hotel_id = HotelId::try_from(request.hotel_id)?;
    let page = Page::parse(request.page_size, &request.page_token, &[&hotel_id.get().to_string()])?;
    Ok((hotel_id, page))
}

pub(super) fn read_get(request: &proto::GetPayOutStatementRequest) -> Result<(HotelId, Uuid, Page<i32>), FieldError> {
    let hotel_id = HotelId::try_from(request.hotel_id)?;
    // Braces, URNs and bare digits are no second names of it.
    let payout_id = Uuid::try_parse(&request.payout_id).ok().filter(|_| request.payout_id.len() == 36);
    let payout_id = payout_id.ok_or_else(|| FieldError::new("payout_id", "must be a UUID"))?;
    let page = Page::parse(request.page_size, &request.page_token, &[&payout_id.to_string()])?;
    Ok((hotel_id, payout_id, page))
}

pub(super) fn read_destination(request: &proto::SetPayOutDestinationRequest) -> Result<(HotelId, &str), FieldError> {
    let hotel_id = HotelId::try_from(request.hotel_id)?;
    let text = request.destination.as_str();
    if (1..=MAX_DESTINATION).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok((hotel_id, text));
    }
    let problem = format!("must be 1 to {MAX_DESTINATION} visible ASCII characters");
    Err(FieldError::new("destination", problem))
}

pub(super) fn shown(payout: Payout) -> proto::PayOut {
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

pub(super) fn statement(statement: Statement) -> Result<proto::GetPayOutStatementResponse, Problem> {
    let currency = statement.payout.amount.currency();
    let lines: Result<_, Problem> = statement.lines.iter().map(|each| line(each, currency)).collect();
    Ok(proto::GetPayOutStatementResponse {
        totals: Some(shares(statement.totals, currency)?),
        lines: lines?,
        pay_out: Some(shown(statement.payout)),
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
