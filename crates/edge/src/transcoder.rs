//! The transcoder: REST to gRPC and back.

use serde_json::{Value, json};
use staymesh_contract::Contract;

use crate::{EdgeConfig, envoy::typed};

pub(crate) fn filter(config: &EdgeConfig, contract: &Contract) -> Value {
    // Both listeners transcode the services of both gateways, so that the public one refuses internal paths as such.
    let services: Vec<&str> = contract.exposed_services().map(|service| service.name.as_str()).collect();
    json!({
        "name": "envoy.filters.http.grpc_json_transcoder",
        "typed_config": typed("envoy.extensions.filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder", json!({
            "proto_descriptor": config.descriptor_set,
            "services": services,
            "convert_grpc_status": true,
            "print_options": {"preserve_proto_field_names": true, "always_print_primitive_fields": true},
            "request_validation_options": {
                "reject_unknown_method": true,
                "reject_unknown_query_parameters": true,
                "reject_binding_body_field_collisions": true,
            },
            "query_param_unescape_plus": true,
            "max_request_body_size": config.limits.max_body_bytes,
            "max_response_body_size": config.limits.max_response_bytes,
        })),
    })
}
