use std::time::Duration;

use futures::TryStreamExt;
use jiff::{
    Timestamp, ToSpan,
    civil::{Date, date},
    tz::TimeZone,
};
use rstest::rstest;
use staymesh_domain::PaymentId;
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{header, method, path, query_param, query_param_is_missing},
};

use crate::{
    CheckoutOrder, Psp, PspError,
    settlement::{SettlementError, SettlementLine, Settlements},
    simulator::SimulatorPsp,
    testing::{adapter, eur, simulator},
};

const FILE: &str = "id,kind,reference,session,amount_minor,currency,created\ncs_1,charge,r,cs_1,5,EUR,1769817600\n";

async fn read(psp: &SimulatorPsp, day: Date, partial: bool) -> Result<Vec<SettlementLine>, SettlementError> {
    psp.settlement(day, partial).await?.try_concat().await
}

async fn answering(response: ResponseTemplate) -> Result<Vec<SettlementLine>, SettlementError> {
    let server = MockServer::start().await;
    let asked = Mock::given(method("GET"))
        .and(path("/v1/settlements/2026-01-31.csv"))
        .and(header("authorization", "Bearer sk_test"))
        .and(query_param_is_missing("partial"));
    asked.respond_with(response).mount(&server).await;
    read(&adapter(&server.uri()), date(2026, 1, 31), false).await
}

#[tokio::test]
async fn settlement_of_incomplete_file_fails() {
    let whole = ResponseTemplate::new(200).set_body_string(format!("{FILE}# lines=1\n"));
    assert_eq!(answering(whole).await.unwrap().len(), 1);
    for part in ["", FILE, "<html>it is a lovely day</html>\n"] {
        let answer = answering(ResponseTemplate::new(200).set_body_string(part)).await;
        assert!(matches!(answer, Err(SettlementError::File(_))), "{answer:?}");
    }
}

#[rstest]
#[case(409, SettlementError::InProgress)]
#[case(401, PspError::Unavailable("the API key is rejected").into())]
#[case(503, PspError::Unavailable("it is overloaded").into())]
#[case(404, PspError::Refused("http_404".into()).into())]
#[case(302, PspError::Unknown("it failed with a server error").into())]
#[case(500, PspError::Unknown("it failed with a server error").into())]
#[tokio::test]
async fn settlement_maps_each_status_to_its_error(#[case] status: u16, #[case] expected: SettlementError) {
    assert_eq!(answering(ResponseTemplate::new(status)).await, Err(expected));
}

#[tokio::test]
async fn settlement_without_response_times_out() {
    let server = MockServer::start().await;
    let slow = ResponseTemplate::new(200).set_delay(Duration::from_mins(1));
    Mock::given(query_param("partial", "true")).respond_with(slow).mount(&server).await;
    let impatient = SimulatorPsp::new(&server.uri(), "sk_test".into(), Duration::from_millis(100)).unwrap();
    let silence = Err(PspError::NoResponse("timed out").into());
    assert_eq!(read(&impatient, date(2026, 1, 31), true).await, silence);
}

#[tokio::test]
async fn simulator_serves_a_file_for_each_day() {
    let (psp, _running) = simulator(None).await;
    let payment_id = PaymentId::new();
    let begun = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let order = CheckoutOrder {
        payment_id,
        amount: eur(12_050),
        description: "Two nights".into(),
        return_url: String::new(),
        expire_time: Timestamp::now() + 10.minutes(),
    };
    let checkout = psp.create_checkout(order).await.unwrap();
    let paid = reqwest::Client::new().post(format!("{}/pay", checkout.url)).send().await.unwrap();
    assert!(paid.status().is_success());
    // At midnight the money is in the file of the next day, and then that day is the one in progress.
    let tomorrow = begun + 1.day();
    assert_eq!(read(&psp, tomorrow, false).await, Err(SettlementError::InProgress));
    let lines = [read(&psp, begun, true).await.unwrap(), read(&psp, tomorrow, true).await.unwrap()].concat();
    let [line] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!((&line.reference, &line.session), (&payment_id.to_string(), &checkout.session));
    assert_eq!((line.amount_minor, line.currency.as_str()), (12_050, "EUR"));
    assert_eq!(read(&psp, begun - 1.day(), false).await, Ok(vec![]));
}
