//! Headers that change the destination or the apparent sender of a request.

/// Headers that a probe may not set, in lower case; a trailing `*` matches any suffix. They control the connection, tell a proxy in front
/// of n8n another host, path, method or client, or carry the key of n8n's API.
pub const STEERING_HEADERS: [&str; 28] = [
    "host",
    "connection",
    "content-length",
    "content-encoding",
    "transfer-encoding",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "keep-alive",
    "via",
    "forwarded",
    "proxy-*",
    "x-forwarded*",
    "x-original*",
    "x-rewrite*",
    "x-override*",
    "x-http-method*",
    "x-method-override",
    "x-host",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "true-client-ip",
    "x-envoy*",
    "x-middleware*",
    "x-accel*",
    "x-n8n*",
];

/// CEL rule of the CRD that refuses [`STEERING_HEADERS`].
pub const NO_STEERING_HEADER: &str = "!self.name.matches('(?i)^(host|connection|content-length|content-encoding|transfer-encoding|te|trailer|upgrade|expect|keep-alive|via|forwarded|proxy-.*|x-forwarded.*|x-original.*|x-rewrite.*|x-override.*|x-http-method.*|x-method-override|x-host|x-real-ip|x-client-ip|x-cluster-client-ip|true-client-ip|x-envoy.*|x-middleware.*|x-accel.*|x-n8n.*)$')";

/// Reports whether a header changes the destination or the apparent sender of a request.
pub fn is_steering(header: &str) -> bool {
    let header = header.to_ascii_lowercase();
    STEERING_HEADERS.iter().any(|one| one.strip_suffix('*').map_or(header == *one, |start| header.starts_with(start)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_of_the_crd_refuses_the_headers_that_are_not_sent() {
        let all = STEERING_HEADERS.join("|").replace('*', ".*");
        assert_eq!(NO_STEERING_HEADER, format!("!self.name.matches('(?i)^({all})$')"));
        for name in [
            "X-Original-URL",
            "x-rewrite-url",
            "HOST",
            "X-Forwarded-Host",
            "X-HTTP-Method-Override",
            "Proxy-Authorization",
            "X-N8N-API-KEY",
        ] {
            assert!(is_steering(name), "{name}");
        }
        for name in ["X-Token", "Authorization", "Cookie", "Accept", "X-Origin", "Hostname", "Content-Type"] {
            assert!(!is_steering(name), "{name}");
        }
    }
}
