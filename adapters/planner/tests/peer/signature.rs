//! AWS's side of a signature: recomputed from the request as it arrived.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::server::Seen;

/// Whether the request is signed with this secret, for the region and service that its own scope names.
pub(crate) fn is_good(seen: &Seen, secret: &str) -> bool {
    let authorization = seen.header("authorization");
    let part = |name: &str| {
        let (_, rest) = authorization.split_once(name).unwrap_or_else(|| panic!("{name}: {authorization}"));
        rest.split(',').next().unwrap().to_owned()
    };
    let (credential, names, signature) = (part("Credential="), part("SignedHeaders="), part("Signature="));
    let scope: Vec<&str> = credential.split('/').skip(1).collect();
    let [day, region, service, "aws4_request"] = scope.as_slice() else { panic!("{credential}") };
    let date = seen.header("x-amz-date");
    assert!(date.starts_with(day));
    // What arrived is encoded once; the canonical form has each `%` encoded again.
    let (path, query) = seen.target.split_once('?').unwrap_or((&seen.target, ""));
    let path = path.replace('%', "%25");
    let lines = names.split(';').map(|name| [name, ":", seen.header(name).trim(), "\n"].concat());
    let headers: String = lines.collect();
    let body = hex(&Sha256::digest(&seen.body));
    let canonical = [&*seen.verb, &path, query, &headers, &names, &body].join("\n");
    let text =
        ["AWS4-HMAC-SHA256", date, &scope.join("/"), &hex(&Sha256::digest(canonical.as_bytes()))].join("\n");
    let mut key = format!("AWS4{secret}").into_bytes();
    for part in [*day, *region, *service, "aws4_request", &text] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update(part.as_bytes());
        key = mac.finalize().into_bytes().to_vec();
    }
    hex(&key) == signature
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}
