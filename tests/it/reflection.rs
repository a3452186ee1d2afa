//! gRPC reflection: a client without generated code books a room with the descriptors of `grpc.reflection.v1`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use futures::channel::mpsc::{UnboundedSender, unbounded};
use prost::Message;
use prost_reflect::{DescriptorPool, DeserializeOptions, DynamicMessage, MessageDescriptor, SerializeOptions};
use prost_types::{FileDescriptorProto, FileDescriptorSet};
use serde_json::{Value, json};
use staymesh_api::options::v1::Gateway;
use staymesh_contract::Contract;
use tonic::{
    Code, Request, Status, Streaming,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    transport::Channel,
};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, ServerReflectionResponse, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};
use tonic_types::StatusExt;
use uuid::Uuid;

use crate::support::{Stay, World};

/// A reflection client.
struct Reflection {
    questions: UnboundedSender<ServerReflectionRequest>,
    answers: Streaming<ServerReflectionResponse>,
}

impl Reflection {
    async fn of(channel: Channel) -> Self {
        let (questions, asked) = unbounded();
        let answers = ServerReflectionClient::new(channel).server_reflection_info(asked).await.expect("reflects");
        Self { questions, answers: answers.into_inner() }
    }

    async fn ask(&mut self, question: MessageRequest) -> MessageResponse {
        let question = ServerReflectionRequest { host: String::new(), message_request: Some(question) };
        self.questions.unbounded_send(question).expect("the stream is open");
        let answer = self.answers.message().await.expect("the stream is open").expect("an answer");
        answer.message_response.expect("says something")
    }

    /// The code with which a question ends the stream; `None` when it is answered.
    async fn refusal(mut self, question: MessageRequest) -> Option<Code> {
        let question = ServerReflectionRequest { host: String::new(), message_request: Some(question) };
        self.questions.unbounded_send(question).expect("the stream is open");
        self.answers.message().await.err().map(|status| status.code())
    }

    async fn services(&mut self) -> Vec<String> {
        match self.ask(MessageRequest::ListServices(String::new())).await {
            MessageResponse::ListServicesResponse(list) => list.service.into_iter().map(|s| s.name).collect(),
            other => panic!("{other:?}"),
        }
    }

    async fn files(&mut self, question: MessageRequest) -> Vec<FileDescriptorProto> {
        match self.ask(question).await {
            MessageResponse::FileDescriptorResponse(files) => {
                let decode = |bytes: &Vec<u8>| FileDescriptorProto::decode(&**bytes).expect("a file");
                files.file_descriptor_proto.iter().map(decode).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    /// The file descriptors of every service and their dependencies.
    async fn contract(&mut self) -> DescriptorPool {
        let mut files = BTreeMap::new();
        let mut open: VecDeque<_> =
            self.services().await.into_iter().map(MessageRequest::FileContainingSymbol).collect();
        while let Some(question) = open.pop_front() {
            for file in self.files(question).await {
                let imports = file.dependency.iter().filter(|name| !files.contains_key(*name));
                open.extend(imports.cloned().map(MessageRequest::FileByFilename));
                files.insert(file.name().to_owned(), file);
            }
        }
        let set = FileDescriptorSet { file: files.into_values().collect() };
        DescriptorPool::from_file_descriptor_set(set).expect("the files fit together")
    }
}

/// A codec for dynamic messages.
struct DynamicCodec(MessageDescriptor);

impl Codec for DynamicCodec {
    type Encode = DynamicMessage;
    type Decode = DynamicMessage;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self(self.0.clone())
    }

    fn decoder(&mut self) -> Self {
        Self(self.0.clone())
    }
}

impl Encoder for DynamicCodec {
    type Item = DynamicMessage;
    type Error = Status;

    fn encode(&mut self, item: DynamicMessage, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        item.encode(buffer).map_err(|error| Status::internal(error.to_string()))
    }
}

impl Decoder for DynamicCodec {
    type Item = DynamicMessage;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<DynamicMessage>, Status> {
        DynamicMessage::decode(self.0.clone(), buffer).map(Some).map_err(|error| Status::internal(error.to_string()))
    }
}

/// A dynamic gRPC client.
struct Generic {
    channel: Channel,
    contract: DescriptorPool,
    token: Option<String>,
}

impl Generic {
    async fn meets(url: &str) -> Self {
        let channel = Channel::from_shared(url.to_owned()).expect("an address").connect().await.expect("connects");
        let contract = Reflection::of(channel.clone()).await.contract().await;
        Self { channel, contract, token: None }
    }

    /// Calls `package.Service/Method` with JSON for JSON.
    async fn call(&self, path: &str, body: Value) -> Result<Value, Status> {
        let (service, method) = path.split_once('/').expect("a service and a method");
        let service = self.contract.get_service_by_name(service).expect("the service is reflected");
        let method = service.methods().find(|m| m.name() == method).expect("the method is reflected");
        let message = DynamicMessage::deserialize_with_options(method.input(), body, &DeserializeOptions::new());
        let mut request = Request::new(message.expect("the message fits"));
        if let Some(token) = &self.token {
            request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().expect("a header"));
        }
        let mut client = Grpc::new(self.channel.clone());
        client.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
        let path = format!("/{path}").parse().expect("a path");
        let answer = client.unary(request, path, DynamicCodec(method.output())).await?;
        let options = SerializeOptions::new().use_proto_field_name(true).skip_default_fields(false);
        let json = answer.into_inner().serialize_with_options(serde_json::value::Serializer, &options);
        Ok(json.expect("every message has a JSON"))
    }

    async fn ok(&self, path: &str, body: Value) -> Value {
        self.call(path, body).await.unwrap_or_else(|status| panic!("{path}: {status:?}"))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn client_with_reflection_only_books_a_room() {
    let world = World::shared().await;
    let hotel = world.hotel(3).await;
    let stay = Stay::ahead(30, 2);
    let mut client = Generic::meets(world.mesh.public_url()).await;

    let email = format!("{}@staymesh.example", Uuid::new_v4().simple());
    let account = json!({ "email": email, "password": "correct horse battery" });
    let signed_up = client.ok("staymesh.identity.v1.UserService/CreateUser", account.clone()).await;
    assert_eq!(signed_up["role"], "ROLE_GUEST");
    let login = client.ok("staymesh.identity.v1.AuthService/Login", account).await;

    let nights = json!({ "hotel_id": hotel.hotel_id, "check_in": stay.check_in, "check_out": stay.check_out });
    let offers = client.ok("staymesh.reservation.v1.ReservationService/ListOffers", nights.clone()).await;
    let offer = &offers["offers"][0];
    assert_eq!(offer["room_type_id"], hotel.room_type_id);

    let mut wish = nights;
    wish["rooms"] = json!([{ "room_type_id": offer["room_type_id"], "adults": 1 }]);
    let prepare = "staymesh.reservation.v1.ReservationService/PrepareReservation";
    let refused = client.call(prepare, wish.clone()).await.expect_err("the caller has no token");
    assert_eq!(refused.code(), Code::Unauthenticated);
    client.token = login["access_token"].as_str().map(str::to_owned);
    let form = client.ok(prepare, wish).await;
    assert_eq!(form["price"]["total"], json!({ "currency_code": "EUR", "amount": "200.00" }));

    let order = json!({
        "reservation_id": form["reservation_id"], "offer_token": form["offer_token"],
        "primary_guest": { "full_name": "A guest", "email": email },
    });
    let create = "staymesh.reservation.v1.ReservationService/CreateReservation";
    let booked = client.ok(create, order.clone()).await;
    assert_eq!(booked["status"], "RESERVATION_STATUS_PENDING_PAYMENT");
    assert_eq!(booked["price"], form["price"]);
    assert_eq!(client.ok(create, order).await, booked);
    let id = json!({ "reservation_id": form["reservation_id"] });
    let read = client.ok("staymesh.reservation.v1.ReservationService/GetReservation", id).await;
    assert_eq!(read, booked);

    // REST returns the same booking.
    let guest = world.public.with_token(client.token.as_deref().expect("a token"));
    let path = format!("/v1/reservations/{}", form["reservation_id"].as_str().expect("an id"));
    let rest = guest.get(&path).await.ok();
    assert_eq!((&rest["status"], &rest["price"]), (&read["status"], &read["price"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn grpc_error_carries_its_details() {
    let world = World::shared().await;
    let mut client = Generic::meets(world.mesh.public_url()).await;
    client.token = Some(world.guest().await.token().to_owned());
    let wish = json!({ "hotel_id": 1, "check_in": "soon", "check_out": "later", "rooms": [] });
    let prepare = "staymesh.reservation.v1.ReservationService/PrepareReservation";
    let refused = client.call(prepare, wish).await.expect_err("no date");
    let info = refused.get_details_error_info().expect("has ErrorInfo");
    assert_eq!(
        (refused.code(), info.reason.as_str(), info.domain.as_str()),
        (Code::InvalidArgument, "INVALID_FIELD", "staymesh")
    );
    let bad = refused.get_details_bad_request().expect("has BadRequest");
    assert_eq!(bad.field_violations[0].field, "check_in");
    assert!(refused.get_details_request_info().is_some_and(|info| !info.request_id.is_empty()));
    assert_helpful(&refused, "INVALID_FIELD", "false");
}

/// Asserts what every error carries beside its reason: whether to repeat, the page, and the request id.
#[track_caller]
fn assert_helpful(refused: &Status, reason: &str, retryable: &str) {
    let info = refused.get_details_error_info().expect("has ErrorInfo");
    assert_eq!((info.reason.as_str(), info.metadata["retryable"].as_str()), (reason, retryable));
    let help = refused.get_details_help().expect("has Help");
    assert!(help.links[0].url.ends_with(&format!("/docs/errors/{reason}.md")), "{}", help.links[0].url);
    assert!(refused.metadata().get("x-request-id").is_some_and(|id| !id.is_empty()), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn grpc_errors_of_the_edge_and_of_services_say_whether_to_repeat_and_link_their_page() {
    let world = World::shared().await;
    for url in [world.mesh.public_url(), world.mesh.internal_url()] {
        let client = Generic::meets(url).await;
        let me = client.call("staymesh.identity.v1.UserService/GetCurrentUser", json!({})).await;
        assert_helpful(&me.expect_err("the edge sees no token"), "UNAUTHENTICATED", "false");
        let hotel = client.call("staymesh.hotel.v1.HotelService/GetHotel", json!({ "hotel_id": i32::MAX })).await;
        assert_helpful(&hotel.expect_err("there is no such hotel"), "HOTEL_NOT_FOUND", "false");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reflection_describes_what_the_gateway_serves_and_nothing_else() {
    let world = World::shared().await;
    let contract = Contract::read(staymesh_api::DESCRIPTOR_SET).expect("the contract");
    let service = world.mesh.service_url("hotel").expect("an address");
    let mut hidden = 0;
    for (url, served) in [
        (world.mesh.public_url(), &[Gateway::Public][..]),
        (world.mesh.internal_url(), &[Gateway::Public, Gateway::Internal]),
        (&service, &[Gateway::Public, Gateway::Internal, Gateway::Mesh]),
    ] {
        let channel = Channel::from_shared(url.to_owned()).expect("an address").connect().await.expect("connects");
        let mut reflection = Reflection::of(channel.clone()).await;
        let listed = BTreeSet::from_iter(reflection.services().await);
        assert!(listed.contains("grpc.health.v1.Health"), "{listed:?}");
        let listed: BTreeSet<_> = listed.into_iter().filter(|name| name.starts_with("staymesh.")).collect();
        let (seen, other): (Vec<_>, Vec<_>) = contract.services.iter().partition(|s| served.contains(&s.gateway));
        assert_eq!(listed, seen.into_iter().map(|service| service.name.clone()).collect(), "{url}");
        let described = reflection.contract().await;
        for service in other {
            assert!(described.get_service_by_name(&service.name).is_none(), "{url}: {}", service.name);
            let question = MessageRequest::FileContainingSymbol(service.name.clone());
            let refusal = Reflection::of(channel.clone()).await.refusal(question).await;
            assert_eq!(refusal, Some(Code::NotFound), "{url}: {}", service.name);
            hidden += 1;
        }
    }
    assert!(hidden > 10, "only {hidden} services are hidden");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_service_serves_grpc_health() {
    let world = World::shared().await;
    let services: [(&str, &[&str]); 5] = [
        ("identity", &["UserService", "AuthService", "IdentityAdminService"]),
        ("hotel", &["HotelService", "HotelAdminService"]),
        ("rate", &["RateAdminService", "PricingService"]),
        (
            "reservation",
            &["ReservationService", "ReservationAdminService", "InventoryAdminService", "ReservationFlowService"],
        ),
        (
            "payment",
            &["PaymentService", "PaymentAdminService", "PaymentFlowService", "PspWebhookService", "StatusPageService"],
        ),
    ];
    let check = "grpc.health.v1.Health/Check";
    for (name, grpc_services) in services {
        let client = Generic::meets(&world.mesh.service_url(name).expect("an address")).await;
        let full = grpc_services.iter().map(|service| format!("staymesh.{name}.v1.{service}"));
        for service in full.chain([String::new()]) {
            let answer = client.ok(check, json!({ "service": service })).await;
            assert_eq!(answer, json!({ "status": "SERVING" }), "{name} {service}");
        }
        let unknown = client.call(check, json!({ "service": "staymesh.spa.v1.SpaService" })).await;
        assert_eq!(unknown.expect_err("the symbol is unknown").code(), Code::NotFound);
    }
    for gateway in [world.mesh.public_url(), world.mesh.internal_url()] {
        let client = Generic::meets(gateway).await;
        assert_eq!(client.ok(check, json!({})).await, json!({ "status": "SERVING" }));
    }
}
