//! REST: transcoding of requests and responses.

use anyhow::Result;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{edge::Edge, errors::error};

#[tokio::test]
async fn response_is_the_resource_itself() -> Result<()> {
    let edge = Edge::start().await?.with_keys().await?;
    let answer = edge.get("/v1/hotels/7").send().await?;
    assert_eq!(answer.status(), StatusCode::OK);
    let length = answer.content_length();
    let text = answer.text().await?;
    assert_eq!(length, Some(text.len() as u64));
    let hotel: Value = serde_json::from_str(&text)?;
    assert_eq!(hotel["hotel_id"], 7);
    assert_eq!(hotel["display_name"], "Hotel \"7\"");
    assert_eq!(hotel["description"], "}}{\\ ü");
    assert_eq!(hotel["star_rating"], 0, "defaults are printed");

    // A list is a message of its own.
    let list: Value = edge.get("/v1/hotels").send().await?.json().await?;
    assert_eq!(list["hotels"][0]["hotel_id"], 1);
    assert_eq!(list["next_page_token"], "");

    // A resource of defaults only has them all; an empty response is an empty object.
    let defaults: Value = edge.get("/v1/hotels/7/roomTypes/1").send().await?.json().await?;
    assert_eq!((&defaults["room_type_id"], &defaults["beds"]), (&json!(0), &json!([])));
    let logout = edge.public(Method::POST, "/v1/auth/logout").bearer_auth(edge.keys.token("ada")?).json(&json!({}));
    assert_eq!(logout.send().await?.text().await?, "{}");
    Ok(())
}

#[tokio::test]
async fn repeated_query_parameters_and_custom_verbs_are_transcoded() -> Result<()> {
    let edge = Edge::start().await?.with_keys().await?;
    let path = "/v1/hotels/7/availability?check_in=2030-01-01&check_out=2030-01-02&room_type_ids=5&room_type_ids=3";
    let answer: Value = edge.get(path).send().await?.json().await?;
    let ids: Vec<_> =
        answer["room_types"].as_array().into_iter().flatten().map(|r| r["room_type_id"].clone()).collect();
    assert_eq!(ids, [json!(5), json!(3)]);

    let prepare = edge.public(Method::POST, "/v1/reservations:prepare").bearer_auth(edge.keys.token("ada")?);
    let answer = prepare.json(&json!({"hotel_id": 7})).send().await?;
    assert_eq!(answer.status(), StatusCode::OK);
    let headers = edge.upstream.last_headers("/staymesh.reservation.v1.ReservationService/PrepareReservation");
    assert!(headers.is_some());
    Ok(())
}

#[tokio::test]
async fn update_mask_is_a_query_parameter() -> Result<()> {
    let edge = Edge::start().await?.with_keys().await?;
    let update = edge
        .internal(Method::PUT, "/v1/hotels/7?update_mask=display_name,address.postal_code")
        .bearer_auth(edge.keys.token("ada")?)
        .json(&json!({"display_name": "New", "address": {"city": "Lisbon"}}));
    let answer = update.send().await?;
    assert_eq!(answer.status(), StatusCode::OK);
    let hotel: Value = answer.json().await?;
    assert_eq!(hotel["hotel_id"], 7);
    assert_eq!(hotel["display_name"], "New");
    assert_eq!(hotel["address"]["city"], "Lisbon");
    assert_eq!(hotel["description"], "display_name|address.postal_code");
    Ok(())
}

#[tokio::test]
async fn path_variables_cannot_be_overridden() -> Result<()> {
    let edge = Edge::start().await?.with_keys().await?;
    let token = edge.keys.token("ada")?;
    let again = [
        "hotel_id=8",
        "hotelId=8",
        "hotel_id=7",
        "x&hotel_id=8",
        "&&hotel_id=",
        "a=b=c&hotelId=8&hotel_id=9",
        "%68otel_id=8",
        "%68%4ftel_id=8&hotel%5Fi%64=8",
    ];
    for query in again {
        let get = edge.get(&format!("/v1/hotels/7?{query}"));
        let internal = |verb| edge.internal(verb, &format!("/v1/hotels/7?{query}")).bearer_auth(&token);
        let update = internal(Method::PUT).json(&json!({"display_name": "New"}));
        for request in [get, update, internal(Method::DELETE)] {
            let (status, reason, message) = error(request).await?;
            assert_eq!((status, reason.as_str()), (400, "INVALID_REQUEST"), "{query}");
            assert!(message.contains("is in the path"), "{query}: {message}");
        }
    }
    // Two path variables, one of them also in the body.
    let room = |query: &str| {
        let path = format!("/v1/hotels/7/roomTypes/3?{query}");
        edge.internal(Method::PUT, &path).bearer_auth(&token).json(&json!({"display_name": "New"}))
    };
    for (query, named) in [("room_type_id=4", "room_type_id"), ("hotelId=4", "hotelId")] {
        assert!(error(room(query)).await?.2.starts_with(&format!("{named}: is in the path")), "{query}");
    }
    // Encoded and alternative spellings are refused, too.
    let others = [
        "hotel%255Fid=8",
        "hotel_id%3D8",
        "hotel_id%3D8=8",
        "x=1%26hotel_id=8",
        "x=1;hotel_id=8",
        "x=1?hotel_id=8",
        "HOTEL_ID=8",
        "hotel+id=8",
        "+hotel_id=8",
        "hotel_id%20=8",
        "hotel_id.=8",
        ".hotel_id=8",
        "hotel_id%00=8",
        "hotel_id[]=8",
    ];
    for query in others {
        let answer = edge.get(&format!("/v1/hotels/7?{query}")).send().await?;
        let status = answer.status();
        let body: Value = answer.json().await?;
        assert!(status == 400 || body["hotel_id"] == 7, "{query}: {status}, {body}");
    }
    // A field that is not in the path may be in the query, with any value.
    let list = edge.get("/v1/hotels?city=hotel_id%3D8&page_size=8").send().await?;
    assert_eq!(list.status(), StatusCode::OK);
    Ok(())
}

#[tokio::test]
async fn webhook_body_passes_unchanged() -> Result<()> {
    let edge = Edge::start().await?;
    let body: &[u8] = b"{ \"id\" :\t\"evt_1\",\r\n\"unknown_field\": 1.50, \"\\u00fc\": \"\xc3\xbc\" }  ";
    let send = edge.public(Method::POST, "/v1/webhooks/simulator");
    let answer = send
        .header("content-type", "application/json; charset=utf-8")
        .header("psp-signature", "t=1,v1=00ff")
        .header("stripe-signature", "t=1,v1=ff00,v1=00ff")
        .body(body)
        .send()
        .await?;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.text().await?, "{}");
    let event = edge.upstream.seen.lock().ok().and_then(|seen| seen.event.clone()).unwrap_or_default();
    assert_eq!(event.data, body);
    assert_eq!(event.content_type, "application/json; charset=utf-8");
    let headers = edge.upstream.last_headers("/staymesh.payment.v1.PspWebhookService/ReceivePspEvent");
    let header = |name| headers.as_ref().and_then(|h| h.get(name).cloned());
    assert_eq!(header("psp-signature"), Some("t=1,v1=00ff".parse()?));
    assert_eq!(header("stripe-signature"), Some("t=1,v1=ff00,v1=00ff".parse()?));
    Ok(())
}
