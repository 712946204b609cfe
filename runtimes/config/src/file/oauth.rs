//! `oauth` of a remote server: how the hub logs in there, as it is read and written. Secrets are references to variables of
//! the environment, never text.

use jsonc_parser::ast::Value;
use jsonc_parser::common::Ranged as _;
use orch_core::oauth::{Grant, OauthSpec};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::confinement::{Written, members};
use super::value::{Wrong, credential, path, refused, strings, url, word};
use super::write::unless;

/// Every name that a field may have.
#[cfg(test)]
pub(crate) const FIELDS: [&str; 8] = [
    "grant",
    "issuer",
    "clientId",
    "clientSecret",
    "privateKey",
    "privateKeyFile",
    "clientMetadataUrl",
    "scopes",
];

const EXPECTED: &str = "an object of grant, issuer, clientId, clientSecret, privateKey, privateKeyFile, clientMetadataUrl and \
     scopes";
const SECRET: &str =
    "an object whose clientSecret is a variable of the environment, such as \"${CLIENT_SECRET}\"";
const KEY: &str = "an object whose privateKey is a variable of the environment, such as \"${CLIENT_KEY}\"";

/// How the hub logs in at a server.
pub(super) fn oauth(value: &Value<'_>) -> Result<Box<OauthSpec>, Wrong> {
    let mut spec = OauthSpec::default();
    for (name, field) in members(value, EXPECTED)? {
        match name {
            "grant" => spec.grant = grant(field)?,
            "issuer" => spec.issuer = Some(url(field)?),
            "clientId" => spec.client_id = Some(path(field)?),
            "clientSecret" => spec.client_secret = Some(credential(field, SECRET)?),
            "privateKey" => spec.private_key = Some(credential(field, KEY)?),
            "privateKeyFile" => spec.private_key_file = Some(path(field)?),
            "clientMetadataUrl" => spec.client_metadata_url = Some(document(field)?),
            "scopes" => spec.scopes = scopes(field)?,
            _ => return refused(value, EXPECTED, "another name"),
        }
    }
    match contradiction(&spec) {
        Some((expected, found)) => Err(Wrong { at: value.range(), expected, found: found.to_owned() }),
        None => Ok(Box::new(spec)),
    }
}

/// What must not stand together: what is expected, and what was found.
fn contradiction(spec: &OauthSpec) -> Option<(&'static str, &'static str)> {
    let key = spec.private_key.is_some() || spec.private_key_file.is_some();
    let named = spec.client_id.is_some() || spec.client_metadata_url.is_some();
    let own = spec.grant == Grant::ClientCredentials;
    if spec.private_key.is_some() && spec.private_key_file.is_some() {
        return Some(("an object with one key", "privateKey and privateKeyFile"));
    }
    if key && spec.client_secret.is_some() {
        return Some(("an object with a secret or a key", "both"));
    }
    if spec.client_secret.is_some() && spec.client_id.is_none() {
        return Some(("an object whose clientSecret goes with a clientId", "none"));
    }
    if key && !named {
        return Some(("an object whose key goes with a clientId or a clientMetadataUrl", "neither"));
    }
    if own && !(named && (key || spec.client_secret.is_some())) {
        return Some((
            "an object whose grant client_credentials goes with a clientId and a clientSecret or a key",
            "less",
        ));
    }
    None
}

fn grant(value: &Value<'_>) -> Result<Grant, Wrong> {
    word(
        value,
        "an object whose grant is \"authorization_code\" or \"client_credentials\"",
        Grant::ALL,
        Grant::name,
    )
}

/// The address of a document that is a client's name: over HTTPS, and with a path.
fn document(value: &Value<'_>) -> Result<String, Wrong> {
    const DOCUMENT: &str = "an object whose clientMetadataUrl begins with https:// and has a path";
    let text = url(value)?;
    let named = text.strip_prefix("https://").and_then(|rest| rest.split_once('/'));
    if text.starts_with("${") || named.is_some_and(|(_, path)| !path.is_empty()) {
        Ok(text)
    } else {
        refused(value, DOCUMENT, "another URL")
    }
}

/// Scopes have no spaces in them: these stand between them.
fn scopes(value: &Value<'_>) -> Result<Vec<String>, Wrong> {
    const SCOPES: &str = "an object whose scopes are an array of words";
    let all = strings(value)?;
    let is_scope = |scope: &String| !scope.is_empty() && scope.bytes().all(|byte| byte.is_ascii_graphic());
    if all.iter().all(is_scope) { Ok(all) } else { refused(value, SCOPES, "something else") }
}

impl Serialize for Written<'_, OauthSpec> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let OauthSpec {
            grant,
            issuer,
            client_id,
            client_secret,
            private_key,
            private_key_file,
            client_metadata_url,
            scopes,
        } = self.0;
        let mut map = serializer.serialize_map(None)?;
        unless(*grant == Grant::default(), &mut map, "grant", &grant.name())?;
        for (name, value) in [
            ("issuer", issuer),
            ("clientId", client_id),
            ("clientSecret", client_secret),
            ("privateKey", private_key),
            ("privateKeyFile", private_key_file),
            ("clientMetadataUrl", client_metadata_url),
        ] {
            unless(value.is_none(), &mut map, name, value)?;
        }
        unless(scopes.is_empty(), &mut map, "scopes", scopes)?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use orch_core::Limits;

    use crate::file::ConfigFile;

    fn parse(oauth: &str) -> Result<ConfigFile, Vec<String>> {
        let text = format!(
            "{{\"mcpServers\": {{\"s\": {{\"url\": \"https://a.example/mcp\",\n\"oauth\": {oauth}}}}}}}"
        );
        let file = ConfigFile::parse("f", &text, &Limits::default());
        file.map_err(|findings| findings.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn what_is_said_of_logins_is_read_and_written_so_that_it_reads_the_same() {
        for oauth in [
            "{}",
            r#"{"scopes":["mcp:read","offline_access"],"issuer":"https://as.example/t"}"#,
            r#"{"clientId":"hub","clientSecret":"${SECRET}"}"#,
            r#"{"grant":"client_credentials","clientId":"hub","privateKey":"${env:KEY}"}"#,
            r#"{"grant":"client_credentials","clientId":"hub","privateKeyFile":"/etc/hub.pem"}"#,
            r#"{"clientMetadataUrl":"https://hub.example/client.json"}"#,
        ] {
            let file = parse(oauth).unwrap();
            assert_eq!(file.warnings, [], "{oauth}");
            let again = ConfigFile::parse("f", &file.write(), &Limits::default()).unwrap();
            let said = |file: &ConfigFile| file.servers["s"].oauth.clone().unwrap();
            assert_eq!(said(&file), said(&again), "{oauth}");
        }
    }

    #[test]
    fn what_does_not_do_is_said_and_no_secret_is_repeated() {
        for (oauth, finding) in [
            ("[]", "\"oauth\" must be an object of grant, issuer,"),
            (r#"{"clientID":"x"}"#, "found another name"),
            (
                r#"{"grant":"password"}"#,
                "whose grant is \"authorization_code\" or \"client_credentials\", found another string",
            ),
            (
                r#"{"clientId":"hub","clientSecret":"s3cret"}"#,
                "clientSecret is a variable of the environment, such as",
            ),
            (
                r#"{"clientId":"hub","privateKey":"-----BEGIN s3cret"}"#,
                "privateKey is a variable of the environment",
            ),
            (r#"{"clientSecret":"${S}"}"#, "clientSecret goes with a clientId, found none"),
            (r#"{"privateKeyFile":"/k"}"#, "goes with a clientId or a clientMetadataUrl, found neither"),
            (
                r#"{"clientId":"h","clientSecret":"${S}","privateKeyFile":"/k"}"#,
                "a secret or a key, found both",
            ),
            (r#"{"clientId":"h","privateKey":"${S}","privateKeyFile":"/k"}"#, "an object with one key"),
            (
                r#"{"grant":"client_credentials","clientId":"hub"}"#,
                "goes with a clientId and a clientSecret or a key, found less",
            ),
            (r#"{"clientMetadataUrl":"https://hub.example"}"#, "has a path, found another URL"),
            (r#"{"clientMetadataUrl":"http://hub.example/c"}"#, "begins with https://"),
            (r#"{"scopes":["a b"]}"#, "scopes are an array of words"),
            (r#"{"scopes":"a"}"#, "found a string"),
        ] {
            let findings = parse(oauth).unwrap_err();
            let said = |it: &String| it.starts_with("f:2:") && it.contains(finding);
            assert!(findings.iter().any(said), "{oauth}: {findings:?}");
            assert!(!findings.concat().contains("s3cret"), "{findings:?}");
        }
    }
}
