//! Paying for a reservation.

use reqwest::Url;
use staymesh_api::payment::v1::{
    self as proto, CreatePaymentRequest, CreatePaymentResponse, GetPaymentRequest, GetPaymentResponse,
    payment_service_server::PaymentService,
};
use staymesh_domain::{FieldError, PaymentId, ReservationId};
use staymesh_mesh::{Caller, Problem};
use staymesh_psp::Psp;
use tonic::{Request, Response, Status};

use super::{Grpc, shown};
use crate::{clients::reservations::ReservationClient, error::PaymentError, model::Payment};

#[tonic::async_trait]
impl<R: ReservationClient, P: Psp> PaymentService for Grpc<R, P> {
    async fn create_payment(
        &self,
        request: Request<CreatePaymentRequest>,
    ) -> Result<Response<CreatePaymentResponse>, Status> {
        let caller = Caller::required(&request)?;
        let request = request.into_inner();
        let id = request.reservation_id.parse::<ReservationId>().map_err(FieldError::from);
        let return_url = check_return_url(&request.return_url);
        let wrong: Vec<_> = [id.as_ref().err().cloned(), return_url.err()]
            .into_iter()
            .flatten()
            .map(|error| (error.field, error.description))
            .collect();
        let Ok(id) = id else { return Err(Problem::fields(wrong).into()) };
        if !wrong.is_empty() {
            return Err(Problem::fields(wrong).into());
        }
        let payment = self.0.create(&caller, id, request.return_url).await?;
        Ok(Response::new(CreatePaymentResponse { payment: Some(self.shown_to(&caller, payment)) }))
    }

    async fn get_payment(&self, request: Request<GetPaymentRequest>) -> Result<Response<GetPaymentResponse>, Status> {
        let caller = Caller::required(&request)?;
        let id: PaymentId =
            request.get_ref().payment_id.parse().map_err(|error| PaymentError::Field(FieldError::from(error)))?;
        let payment = self.0.get(&caller, id).await?;
        Ok(Response::new(GetPaymentResponse { payment: Some(self.shown_to(&caller, payment)) }))
    }
}

impl<R: ReservationClient, P: Psp> Grpc<R, P> {
    /// The address of the status page is for the one who booked; others have no use for it.
    fn shown_to(&self, caller: &Caller, payment: Payment) -> proto::Payment {
        let (id, own) = (payment.reservation_id, payment.owner == caller.subject);
        proto::Payment { status_url: if own { self.0.links.url(id) } else { String::new() }, ..shown(payment) }
    }
}

/// Empty, or where a browser can go without running anything.
fn check_return_url(text: &str) -> Result<(), FieldError> {
    if text.is_empty() {
        return Ok(());
    }
    if text.chars().count() > 2000 {
        return Err(FieldError::new("return_url", "must be at most 2000 characters"));
    }
    // As it is written and as it is read: a browser would drop the line breaks and tabs that a parser lets pass.
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic());
    let parsed = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let bare = parsed.is_some_and(|url| url.username().is_empty() && url.password().is_none());
    if plain && bare {
        return Ok(());
    }
    Err(FieldError::new("return_url", "must be an http or https URL, without a user name, in ASCII"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_web_addresses_are_returned_to() {
        for good in ["", "https://hotel.example/thanks?x=1#y", "http://localhost:3000/"] {
            assert_eq!(check_return_url(good), Ok(()), "{good}");
        }
        let long = format!("https://a/{}", "x".repeat(2000));
        for bad in [
            "javascript:alert(1)",
            "data:text/html,x",
            "ftp://a/",
            "//a",
            "/a",
            "a",
            "https://",
            "https://u:p@a/",
            "https://a/\r\nx: y",
            "java\tscript:x",
            "https://ä/",
            " https://a/",
            &long,
        ] {
            assert_eq!(check_return_url(bad).unwrap_err().field, "return_url", "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".*") {
            let _ = check_return_url(&text);
        }
    }
}
