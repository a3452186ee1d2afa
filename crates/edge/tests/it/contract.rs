//! Every method of the contract on both listeners without a token: gateway and access options are enforced.

use anyhow::{Context, Result};
use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor, Value};
use reqwest::Method;
use staymesh_api::options::v1::Gateway;
use staymesh_mesh::auth::{AccessTable, Rule};

use crate::edge::Edge;

/// A method with its options.
struct Case {
    grpc_path: String,
    rest: Option<(Method, String)>,
    gateway: Gateway,
    anonymous: bool,
}

fn cases() -> Result<Vec<Case>> {
    let pool = DescriptorPool::decode(staymesh_api::DESCRIPTOR_SET)?;
    let access = AccessTable::read(staymesh_api::DESCRIPTOR_SET)?;
    let gateway = pool.get_extension_by_name("staymesh.options.v1.gateway").context("the option exists")?;
    let mut cases = Vec::new();
    for service in pool.services().filter(|s| s.package_name().starts_with("staymesh.")) {
        let number = service.options().get_extension(&gateway).as_enum_number().unwrap_or_default();
        for method in service.methods() {
            let grpc_path = format!("/{}/{}", service.full_name(), method.name());
            cases.push(Case {
                rest: rest(&pool, &method)?,
                gateway: Gateway::try_from(number)?,
                anonymous: access.rule(&grpc_path) == Some(&Rule::Anonymous),
                grpc_path,
            });
        }
    }
    Ok(cases)
}

/// The HTTP method and the path, with 7 for every variable.
fn rest(pool: &DescriptorPool, method: &MethodDescriptor) -> Result<Option<(Method, String)>> {
    let http = pool.get_extension_by_name("google.api.http").context("the option exists")?;
    let options = method.options();
    let rule = options.get_extension(&http);
    let Some(rule) = rule.as_message() else { return Ok(None) };
    for verb in ["get", "put", "post", "delete", "patch"] {
        if let Some(template) = set_text(rule, verb) {
            let mut path = template;
            while let (Some(start), Some(end)) = (path.find('{'), path.find('}')) {
                path.replace_range(start..=end, "7");
            }
            return Ok(Some((verb.to_uppercase().parse()?, path)));
        }
    }
    Ok(None)
}

fn set_text(rule: &DynamicMessage, field: &str) -> Option<String> {
    let value = rule.has_field_by_name(field).then(|| rule.get_field_by_name(field)).flatten()?;
    match value.as_ref() {
        Value::String(text) => Some(text.clone()),
        _ => None,
    }
}

#[tokio::test]
async fn gateway_and_access_options_are_enforced_for_every_method() -> Result<()> {
    let edge = Edge::with(|config| config.limits.burst = 10_000).await?;
    for case in cases()? {
        for public in [true, false] {
            let call = |method: Method, path: &str| {
                if public { edge.public(method, path) } else { edge.internal(method, path) }
            };
            let grpc =
                call(Method::POST, &case.grpc_path).header("content-type", "application/grpc").header("te", "trailers");
            let answer = grpc.body(vec![0; 5]).send().await?;
            let code = answer.headers().get("grpc-status").map(|s| s.to_str().map(ToOwned::to_owned)).transpose()?;
            let code = code.unwrap_or_else(|| "passed".to_owned());
            let rest = match &case.rest {
                Some((method, path)) => Some(call(method.clone(), path).body("{\"no").send().await?.status().as_u16()),
                None => None,
            };
            let Case { grpc_path, gateway, anonymous, .. } = &case;
            let what = format!("{grpc_path}, {}: {code} {rest:?}", if public { "public" } else { "internal" });
            match (gateway, public, anonymous) {
                (Gateway::Internal, true, _) => assert!(code == "7" && rest == Some(403), "{what}"),
                (Gateway::Public, _, false) | (Gateway::Internal, false, false) => {
                    assert!(code == "16" && rest.is_none_or(|status| status == 401), "{what}");
                }
                (Gateway::Public | Gateway::Internal, _, true) => {
                    // 12 (UNIMPLEMENTED) is the response of the test upstream to services that it does not have.
                    assert!(["passed", "0", "12"].contains(&code.as_str()), "{what}");
                    assert!(rest.is_none_or(|status| [200, 400, 501].contains(&status)), "{what}");
                }
                (Gateway::Mesh | Gateway::Unspecified, ..) => assert!(code == "5" && rest.is_none(), "{what}"),
            }
        }
    }
    Ok(())
}
