//! The services of the contract with their gateway, methods and REST forms, read from options of the descriptor set.

use prost_reflect::{
    DescriptorError, DescriptorPool, DynamicMessage, Kind, MessageDescriptor, MethodDescriptor, ServiceDescriptor,
    Value,
};
use staymesh_api::options::v1::Gateway;

use crate::access::{AccessTable, Rule};
use crate::template;

/// Why the contract cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ContractError {
    /// The descriptor set cannot be decoded.
    #[error("the descriptor set cannot be decoded: {0}")]
    Descriptor(#[from] DescriptorError),
    /// A service is not in a package of the form `staymesh.NAME.v1`.
    #[error("the package of {0} is not of the form staymesh.NAME.v1")]
    Package(String),
    /// The option `gateway` of a service holds a number that the enum does not define.
    #[error("the gateway of {0} is not a value of staymesh.options.v1.Gateway")]
    Gateway(String),
    /// A method does not exist, does not have exactly one REST path, or the path has variables where none may be.
    #[error("no method {0} with exactly one REST path of the required form")]
    NoSinglePath(String),
    /// A file that the callers at a gateway see has a service that the gateway does not serve.
    #[error("{service} is in {file}, which callers at another gateway see: move it to a file of its own")]
    MixedFile {
        /// The file.
        file: String,
        /// Full name of the service.
        service: String,
    },
}

/// Every service in a `staymesh` package of the contract.
#[derive(Debug)]
pub struct Contract {
    /// In the order of the descriptor set.
    pub services: Vec<Service>,
}

/// A gRPC service.
#[derive(Debug)]
pub struct Service {
    /// Full name: `staymesh.hotel.v1.HotelService`.
    pub name: String,
    /// The Staymesh service that implements it, from the package name: `hotel`.
    pub upstream: String,
    /// Which gateway exposes it; `Unspecified` if the contract does not say.
    pub gateway: Gateway,
    /// Its methods.
    pub methods: Vec<Method>,
}

/// A gRPC method.
#[derive(Debug)]
pub struct Method {
    /// gRPC path: `/staymesh.hotel.v1.HotelService/GetHotel`.
    pub path: String,
    /// Whether it may be called without a token.
    pub anonymous: bool,
    /// Its REST forms; empty if it has none.
    pub bindings: Vec<Binding>,
    /// Whether it returns a raw body (`google.api.HttpBody`), such as an HTML page, instead of JSON.
    pub raw: bool,
}

/// One REST form of a method.
#[derive(Debug)]
pub struct Binding {
    /// The HTTP method: `GET`.
    pub verb: &'static str,
    /// The path template: `/v1/hotels/{hotel_id}`.
    pub template: String,
    /// The request message.
    pub input: MessageDescriptor,
    /// The field of the request that is the body; `*` if it is the whole request, empty without a body.
    pub body_field: String,
    /// The message in the request body; `None` without a body, or if the body is raw.
    pub body: Option<MessageDescriptor>,
    /// The fields bound by the path, in every spelling in which a query parameter could name them as well.
    pub in_path: Vec<String>,
}

impl Contract {
    /// Reads an encoded `FileDescriptorSet`, usually [`staymesh_api::DESCRIPTOR_SET`].
    ///
    /// # Errors
    /// When it cannot be decoded, or an option contradicts its method; see [`ContractError`].
    pub fn read(descriptor_set: &[u8]) -> Result<Self, ContractError> {
        let pool = DescriptorPool::decode(descriptor_set)?;
        let access = AccessTable::read(descriptor_set)?;
        let services = pool
            .services()
            .filter(|service| service.package_name().starts_with("staymesh."))
            .map(|service| read_service(&pool, &access, &service))
            .collect::<Result<_, _>>()?;
        Ok(Self { services })
    }

    /// The services that the public or the internal gateway exposes.
    pub fn exposed_services(&self) -> impl Iterator<Item = &Service> {
        self.services.iter().filter(|service| matches!(service.gateway, Gateway::Public | Gateway::Internal))
    }

    /// The REST path of a method that has exactly one, without variables.
    ///
    /// # Errors
    /// [`ContractError::NoSinglePath`] otherwise.
    pub fn fixed_path(&self, grpc_path: &str) -> Result<&str, ContractError> {
        self.template(grpc_path).filter(|template| !template.contains(['{', '*'])).ok_or_else(|| no_path(grpc_path))
    }

    /// The path template of a method that has exactly one.
    ///
    /// # Errors
    /// [`ContractError::NoSinglePath`] otherwise.
    pub fn only_template(&self, grpc_path: &str) -> Result<&str, ContractError> {
        self.template(grpc_path).ok_or_else(|| no_path(grpc_path))
    }

    fn template(&self, grpc_path: &str) -> Option<&str> {
        let method = self.services.iter().flat_map(|s| &s.methods).find(|m| m.path == grpc_path)?;
        if let [binding] = method.bindings.as_slice() { Some(&binding.template) } else { None }
    }
}

fn no_path(grpc_path: &str) -> ContractError {
    ContractError::NoSinglePath(grpc_path.to_owned())
}

fn read_service(
    pool: &DescriptorPool,
    access: &AccessTable,
    service: &ServiceDescriptor,
) -> Result<Service, ContractError> {
    let name = service.full_name().to_owned();
    let upstream = service.package_name().split('.').nth(1).ok_or_else(|| ContractError::Package(name.clone()))?;
    let upstream = upstream.to_owned();
    let gateway = gateway_of(pool, service)?;
    let methods = service.methods().map(|m| read_method(pool, access, &name, &m)).collect();
    Ok(Service { name, upstream, gateway, methods })
}

/// The gateway of a service; `Unspecified` if the contract does not say.
pub(crate) fn gateway_of(pool: &DescriptorPool, service: &ServiceDescriptor) -> Result<Gateway, ContractError> {
    match extension(pool, &service.options(), "staymesh.options.v1.gateway").and_then(|value| value.as_enum_number()) {
        Some(number) => Gateway::try_from(number).map_err(|_| ContractError::Gateway(service.full_name().to_owned())),
        None => Ok(Gateway::Unspecified),
    }
}

fn read_method(pool: &DescriptorPool, access: &AccessTable, service: &str, method: &MethodDescriptor) -> Method {
    let path = format!("/{service}/{}", method.name());
    let options = method.options();
    let rule = extension(pool, &options, "google.api.http").and_then(|value| value.as_message().cloned());
    Method {
        raw: is_raw(&method.output()),
        anonymous: access.rule(&path) == Some(&Rule::Anonymous),
        bindings: rule.as_ref().map(|rule| bindings(rule, &method.input())).unwrap_or_default(),
        path,
    }
}

/// The binding of an HTTP rule and its `additional_bindings`.
fn bindings(rule: &DynamicMessage, input: &MessageDescriptor) -> Vec<Binding> {
    const VERBS: [(&str, &str); 5] =
        [("get", "GET"), ("put", "PUT"), ("post", "POST"), ("delete", "DELETE"), ("patch", "PATCH")];
    let own = VERBS.iter().filter_map(|(field, verb)| {
        let template = text(rule, field).filter(|_| rule.has_field_by_name(field))?;
        let in_path = template::variables(&template).flat_map(|path| spellings(input, path)).collect();
        let body_field = text(rule, "body").unwrap_or_default();
        Some(Binding { verb, input: input.clone(), body_field, body: body(rule, input), in_path, template })
    });
    let more = rule.get_field_by_name("additional_bindings");
    let more = more.iter().filter_map(|value| value.as_list()).flatten().filter_map(Value::as_message);
    own.chain(more.flat_map(|rule| bindings(rule, input))).collect()
}

/// Every spelling of a field path as a query parameter: each segment by its proto name or by its JSON name.
pub fn spellings(input: &MessageDescriptor, path: &str) -> Vec<String> {
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

/// The message in a JSON body: the request or one of its fields. `None` for a raw body.
fn body(rule: &DynamicMessage, input: &MessageDescriptor) -> Option<MessageDescriptor> {
    let name = text(rule, "body")?;
    if name == "*" {
        return Some(input.clone());
    }
    match input.get_field_by_name(&name)?.kind() {
        Kind::Message(message) if !is_raw(&message) => Some(message),
        _ => None,
    }
}

/// Whether a message is a raw body (`google.api.HttpBody`).
pub fn is_raw(message: &MessageDescriptor) -> bool {
    message.full_name() == "google.api.HttpBody"
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
    fn every_service_names_its_gateway() {
        let contract = Contract::read(staymesh_api::DESCRIPTOR_SET).expect("the contract can be read");
        assert!(contract.services.len() > 8);
        for service in &contract.services {
            assert_ne!(service.gateway, Gateway::Unspecified, "{}", service.name);
        }
    }

    #[test]
    fn read_finds_access_rest_binding_and_raw_body_of_methods() {
        let get = method("/staymesh.hotel.v1.HotelService/GetHotel");
        assert!(get.anonymous);
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
    fn spellings_covers_proto_and_json_names_of_nested_fields() {
        let pool = DescriptorPool::decode(staymesh_api::DESCRIPTOR_SET).expect("the contract can be read");
        let update = pool.get_message_by_name("staymesh.hotel.v1.UpdateHotelRequest").expect("the message exists");
        assert_eq!(spellings(&update, "hotel_id"), ["hotel_id", "hotelId"]);
        assert_eq!(spellings(&update, "hotel.star_rating"), ["hotel.star_rating", "hotel.starRating"]);
        assert_eq!(spellings(&update, "update_mask.paths"), ["update_mask.paths", "updateMask.paths"]);
        assert!(spellings(&update, "hotel.stars").is_empty() && spellings(&update, "").is_empty());
    }
}
