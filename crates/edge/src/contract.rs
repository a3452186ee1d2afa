//! What the edge needs to know of the contract.

use prost_reflect::{
    DescriptorPool, DynamicMessage, Kind, MessageDescriptor, MethodDescriptor, ServiceDescriptor, Value,
};
use staymesh_api::options::v1::Gateway;
use staymesh_mesh::auth::{AccessTable, Rule};

use crate::{EdgeError, template};

/// The services of the contract.
#[derive(Debug)]
pub(crate) struct Contract {
    pub(crate) services: Vec<Service>,
}

/// A gRPC service.
#[derive(Debug)]
pub(crate) struct Service {
    /// Full name: `staymesh.hotel.v1.HotelService`.
    pub(crate) name: String,
    /// The one who serves it: `hotel`.
    pub(crate) upstream: String,
    pub(crate) gateway: Gateway,
    pub(crate) methods: Vec<Method>,
}

/// A gRPC method.
#[derive(Debug)]
pub(crate) struct Method {
    /// `/staymesh.hotel.v1.HotelService/GetHotel`.
    pub(crate) path: String,
    /// Whether anybody may call it without a token.
    pub(crate) anonymous: bool,
    pub(crate) bindings: Vec<Binding>,
    /// The field of the answer that is the whole answer in REST.
    pub(crate) response_body: Option<String>,
    /// Whether that is a raw body, such as a page, and no JSON.
    pub(crate) raw: bool,
}

/// A REST form of a method.
#[derive(Debug)]
pub(crate) struct Binding {
    /// The HTTP method: `GET`.
    pub(crate) verb: &'static str,
    /// The path template: `/v1/hotels/{hotel_id}`.
    pub(crate) template: String,
    /// What the body is in JSON, if there is one.
    pub(crate) body: Option<MessageDescriptor>,
    /// The fields that are in the path, in every spelling that a query parameter might have of them.
    pub(crate) in_path: Vec<String>,
}

impl Contract {
    pub(crate) fn read(descriptor_set: &[u8]) -> Result<Self, EdgeError> {
        let pool = DescriptorPool::decode(descriptor_set)?;
        let access = AccessTable::read(descriptor_set)?;
        let services = pool
            .services()
            .filter(|service| service.package_name().starts_with("staymesh."))
            .map(|service| read_service(&pool, &access, &service))
            .collect::<Result<_, _>>()?;
        Ok(Self { services })
    }

    /// The services that some gateway has.
    pub(crate) fn at_the_edge(&self) -> impl Iterator<Item = &Service> {
        self.services.iter().filter(|service| matches!(service.gateway, Gateway::Public | Gateway::Internal))
    }

    /// The REST path of a method that has exactly one, without variables.
    pub(crate) fn fixed_path(&self, grpc_path: &str) -> Result<&str, EdgeError> {
        let method = self.services.iter().flat_map(|s| &s.methods).find(|m| m.path == grpc_path);
        match method.map(|m| m.bindings.as_slice()) {
            Some([binding]) if !binding.template.contains(['{', '*']) => Ok(&binding.template),
            _ => Err(EdgeError::Contract(format!("no method {grpc_path} with one fixed REST path"))),
        }
    }
}

fn read_service(
    pool: &DescriptorPool,
    access: &AccessTable,
    service: &ServiceDescriptor,
) -> Result<Service, EdgeError> {
    let name = service.full_name().to_owned();
    let upstream = service.package_name().split('.').nth(1).unwrap_or_default().to_owned();
    let options = service.options();
    let gateway = extension(pool, &options, "staymesh.options.v1.gateway")
        .and_then(|value| value.as_enum_number())
        .and_then(|number| Gateway::try_from(number).ok())
        .unwrap_or(Gateway::Unspecified);
    let methods = service.methods().map(|m| read_method(pool, access, &name, &m)).collect::<Result<_, _>>()?;
    Ok(Service { name, upstream, gateway, methods })
}

fn read_method(
    pool: &DescriptorPool,
    access: &AccessTable,
    service: &str,
    method: &MethodDescriptor,
) -> Result<Method, EdgeError> {
    let path = format!("/{service}/{}", method.name());
    let options = method.options();
    let rule = extension(pool, &options, "google.api.http").and_then(|value| value.as_message().cloned());
    let response_body = rule.as_ref().and_then(|rule| text(rule, "response_body")).filter(|field| !field.is_empty());
    if response_body.is_some() && method.output().fields().len() != 1 {
        return Err(EdgeError::Contract(format!("response_body at {path}, whose answer has not exactly one field")));
    }
    let answer = response_body.as_ref().and_then(|field| method.output().get_field_by_name(field));
    Ok(Method {
        raw: answer.is_some_and(|field| is_raw(&field.kind())),
        anonymous: access.rule(&path) == Some(&Rule::Anonymous),
        bindings: rule.as_ref().map(|rule| bindings(rule, &method.input())).unwrap_or_default(),
        response_body,
        path,
    })
}

/// The binding of a rule and its additional ones.
fn bindings(rule: &DynamicMessage, input: &MessageDescriptor) -> Vec<Binding> {
    const VERBS: [(&str, &str); 5] =
        [("get", "GET"), ("put", "PUT"), ("post", "POST"), ("delete", "DELETE"), ("patch", "PATCH")];
    let own = VERBS.iter().filter_map(|(field, verb)| {
        let template = text(rule, field).filter(|_| rule.has_field_by_name(field))?;
        let in_path = template::variables(&template).flat_map(|path| spellings(input, path)).collect();
        Some(Binding { verb, body: body(rule, input), in_path, template })
    });
    let more = rule.get_field_by_name("additional_bindings");
    let more = more.iter().filter_map(|value| value.as_list()).flatten().filter_map(Value::as_message);
    own.chain(more.flat_map(|rule| bindings(rule, input))).collect()
}

/// The names of a field as a query parameter: of each step on the way to it that of the contract and that of JSON.
fn spellings(input: &MessageDescriptor, path: &str) -> Vec<String> {
    let (step, rest) = path.split_once('.').map_or((path, None), |(step, rest)| (step, Some(rest)));
    let Some(field) = input.get_field_by_name(step) else { return Vec::new() };
    let mut names = vec![field.name().to_owned(), field.json_name().to_owned()];
    names.dedup();
    match (rest, field.kind()) {
        (Some(rest), Kind::Message(message)) => {
            let inside = spellings(&message, rest);
            names.iter().flat_map(|name| inside.iter().map(move |inside| format!("{name}.{inside}"))).collect()
        }
        _ => names,
    }
}

/// The message that a body in JSON is: the request, or a field of it. A raw body is none.
fn body(rule: &DynamicMessage, input: &MessageDescriptor) -> Option<MessageDescriptor> {
    let name = text(rule, "body")?;
    if name == "*" {
        return Some(input.clone());
    }
    match input.get_field_by_name(&name)?.kind() {
        kind if is_raw(&kind) => None,
        Kind::Message(message) => Some(message),
        _ => None,
    }
}

/// Whether a field holds a body of any kind as it is.
pub(crate) fn is_raw(kind: &Kind) -> bool {
    matches!(kind, Kind::Message(message) if message.full_name() == "google.api.HttpBody")
}

fn text(message: &DynamicMessage, field: &str) -> Option<String> {
    Some(message.get_field_by_name(field)?.as_str()?.to_owned())
}

fn extension(pool: &DescriptorPool, options: &DynamicMessage, name: &str) -> Option<Value> {
    let extension = pool.get_extension_by_name(name)?;
    options.has_extension(&extension).then(|| options.get_extension(&extension).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn method(path: &str) -> Method {
        let contract = Contract::read(staymesh_api::DESCRIPTOR_SET).expect("the contract can be read");
        contract.services.into_iter().flat_map(|s| s.methods).find(|m| m.path == path).expect("the method exists")
    }

    #[test]
    fn every_service_says_where_it_is_served() {
        let contract = Contract::read(staymesh_api::DESCRIPTOR_SET).expect("the contract can be read");
        assert!(contract.services.len() > 8);
        for service in &contract.services {
            assert_ne!(service.gateway, Gateway::Unspecified, "{}", service.name);
        }
    }

    #[test]
    fn a_method_is_read_with_its_rest_form() {
        let get = method("/staymesh.hotel.v1.HotelService/GetHotel");
        assert!(get.anonymous);
        assert_eq!(get.response_body.as_deref(), Some("hotel"));
        assert!(!get.raw);
        assert_eq!((get.bindings[0].verb, get.bindings[0].template.as_str()), ("GET", "/v1/hotels/{hotel_id}"));

        assert_eq!(get.bindings[0].in_path, ["hotel_id", "hotelId"]);

        let create = method("/staymesh.reservation.v1.ReservationService/CreateReservation");
        assert!(!create.anonymous);
        assert_eq!((create.bindings[0].verb, create.bindings[0].template.as_str()), ("POST", "/v1/reservations"));
        assert!(create.bindings[0].in_path.is_empty());

        let page = method("/staymesh.payment.v1.StatusPageService/GetStatusPage");
        assert!(page.anonymous && page.raw);
    }

    #[test]
    fn a_field_has_every_spelling_of_the_way_to_it() {
        let pool = DescriptorPool::decode(staymesh_api::DESCRIPTOR_SET).expect("the contract can be read");
        let update = pool.get_message_by_name("staymesh.hotel.v1.UpdateHotelRequest").expect("the message exists");
        assert_eq!(spellings(&update, "hotel_id"), ["hotel_id", "hotelId"]);
        assert_eq!(spellings(&update, "hotel.star_rating"), ["hotel.star_rating", "hotel.starRating"]);
        assert_eq!(spellings(&update, "update_mask.paths"), ["update_mask.paths", "updateMask.paths"]);
        assert!(spellings(&update, "hotel.stars").is_empty() && spellings(&update, "").is_empty());
    }
}
