//! By which gateway a request entered the mesh.

use http::HeaderMap;
use staymesh_api::options::v1::Gateway;

/// The header in which the edge names the gateway that accepted a request. The edge removes it from incoming requests and
/// sets it in each.
pub const GATEWAY_HEADER: &str = "x-staymesh-gateway";

/// The gateway by which a request entered; [`Gateway::Mesh`] for a call between services, which has no such header.
/// Fails closed: a header that does not name the internal gateway stands for the public one, which accepts fewest callers.
pub fn entered(headers: &HeaderMap) -> Gateway {
    let mut names = headers.get_all(GATEWAY_HEADER).iter();
    match (names.next(), names.next()) {
        (None, _) => Gateway::Mesh,
        (Some(name), None) if name == "internal" => Gateway::Internal,
        _ => Gateway::Public,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(&[], Gateway::Mesh)]
    #[case(&["internal"], Gateway::Internal)]
    #[case(&["public"], Gateway::Public)]
    #[case(&[""], Gateway::Public)]
    #[case(&["mesh"], Gateway::Public)]
    #[case(&["Internal"], Gateway::Public)]
    #[case(&["internal,public"], Gateway::Public)]
    #[case(&["internal", "internal"], Gateway::Public)]
    #[case(&["internal", "public"], Gateway::Public)]
    fn unknown_and_repeated_names_stand_for_the_public_gateway(#[case] names: &[&str], #[case] expected: Gateway) {
        let mut headers = HeaderMap::new();
        for name in names {
            headers.append(GATEWAY_HEADER, name.parse().expect("a header"));
        }
        assert_eq!(entered(&headers), expected);
    }
}
