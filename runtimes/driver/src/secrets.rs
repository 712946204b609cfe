//! Values that must not be in what people read: what variables gave to a server, and credentials that its owner wrote
//! down.

use std::cell::RefCell;
use std::fmt;

use orch_core::record::{ServerSpec, Transport, interpolate};
use orch_core::rpc::write;

/// The shortest value that is hidden: shorter ones are no secrets, and would tear words apart.
const SHORTEST: usize = 4;

/// Parts of the names of headers whose values are credentials, in whatever way they were written.
const CREDENTIALS: [&str; 8] =
    ["auth", "cookie", "credential", "key", "password", "secret", "signature", "token"];

/// The secrets of one server.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Secrets(Vec<String>);

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(..)")
    }
}

impl Secrets {
    /// The secrets in a specification as its owner wrote it.
    pub(crate) fn of(written: &ServerSpec, lookup: impl Fn(&str) -> Option<String>) -> Self {
        let mut found = Vec::new();
        match &written.transport {
            Transport::Stdio { env, .. } => {
                for text in env.values() {
                    found.extend(filled(text, &lookup));
                }
            }
            Transport::Remote { url, headers, .. } => {
                // The host is in every message about the server, and people need it there.
                let host = |value: &String| url_host(url, &lookup).contains(value.as_str());
                found.extend(filled(url, &lookup).into_iter().filter(|value| !host(value)));
                for (name, text) in headers {
                    found.extend(filled(text, &lookup));
                    if is_credential(name) {
                        found.extend(text.split_ascii_whitespace().map(ToOwned::to_owned));
                        found.push(text.clone());
                    }
                }
            }
        }
        if let Some(oauth) = &written.oauth {
            for text in [&oauth.client_secret, &oauth.private_key].into_iter().flatten() {
                found.extend(filled(text, &lookup));
            }
        }
        found.retain(|value| value.len() >= SHORTEST && !is_scheme(value));
        found.extend(found.iter().map(|value| in_json(value)).collect::<Vec<_>>());
        Self::sorted(found)
    }

    fn sorted(mut found: Vec<String>) -> Self {
        // A value within another one must not break it before it is found.
        found.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        found.dedup();
        Self(found)
    }

    /// These and others.
    pub(crate) fn and(&self, others: &Self) -> Self {
        Self::sorted(self.0.iter().chain(&others.0).cloned().collect())
    }

    /// The words without the secrets.
    pub(crate) fn hide(&self, words: String) -> String {
        self.0.iter().fold(words, |words, secret| words.replace(secret.as_str(), "[secret]"))
    }

    /// The beginning of the words without the secrets, and without the part of one that a cut before, or this one, has
    /// left at the end. `bytes` is where they were cut, and are.
    pub(crate) fn hide_and_cut(&self, mut words: String, bytes: usize) -> String {
        // The last character may not have fitted.
        let cut = words.len() + char::MAX.len_utf8() > bytes;
        words = self.hide(words);
        if cut {
            words.truncate(words.len() - self.begun_at_end(&words));
        }
        words.truncate(words.floor_char_boundary(bytes));
        words
    }

    /// The bytes at the end of the words that a secret begins with.
    fn begun_at_end(&self, words: &str) -> usize {
        let begun = |secret: &String| {
            let parts = secret.char_indices().rev().map(|(end, _)| end);
            parts.into_iter().find(|&end| secret.get(..end).is_some_and(|begin| words.ends_with(begin)))
        };
        self.0.iter().filter_map(begun).max().unwrap_or(0)
    }
}

/// A value as it stands in a JSON text.
fn in_json(value: &str) -> String {
    let mut written = Vec::new();
    write::string(&mut written, value);
    let written = String::from_utf8(written).unwrap_or_default();
    written.get(1..written.len().saturating_sub(1)).unwrap_or_default().to_owned()
}

/// What variables put into a text: each value by itself, and the whole.
fn filled(text: &str, lookup: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let values = RefCell::new(Vec::new());
    let whole = interpolate(text, |name| {
        let value = lookup(name)?;
        values.borrow_mut().push(value.clone());
        Some(value)
    });
    let mut values = values.into_inner();
    values.extend(whole.ok().filter(|whole| whole != text));
    values
}

fn url_host(url: &str, lookup: impl Fn(&str) -> Option<String>) -> String {
    let url = interpolate(url, lookup).unwrap_or_default();
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or_default().to_owned()
}

fn is_credential(header: &str) -> bool {
    let header = header.to_ascii_lowercase();
    CREDENTIALS.iter().any(|part| header.contains(part))
}

/// Words before a credential, which are none.
fn is_scheme(value: &str) -> bool {
    ["basic", "bearer", "digest", "token"].iter().any(|scheme| value.eq_ignore_ascii_case(scheme))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use orch_core::oauth::OauthSpec;
    use orch_core::record::RemoteKind;

    use super::*;

    fn lookup(name: &str) -> Option<String> {
        let value = match name {
            "TOKEN" => "s3cret-token",
            "PATH_KEY" => "s3cret-path",
            "QUOTED" => "s3\"cret",
            "HOST" => "mcp.example",
            "SHORT" => "abc",
            _ => return None,
        };
        Some(value.to_owned())
    }

    fn remote(url: &str, headers: &[(&str, &str)]) -> Secrets {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let headers = headers.iter().map(owned).collect();
        let transport = Transport::Remote { kind: RemoteKind::Http, url: url.to_owned(), headers };
        Secrets::of(&ServerSpec::new(transport), lookup)
    }

    #[test]
    fn what_variables_gave_to_a_remote_server_is_hidden() {
        let secrets = remote(
            "https://${HOST}/${PATH_KEY}/mcp",
            &[("Authorization", "Bearer ${TOKEN}"), ("X-Env", "prod-${SHORT}"), ("X-Plain", "production")],
        );
        let said = "mcp.example:443 /s3cret-path/ s3cret-token prod-abc Bearer s3cret-token production abc";
        assert_eq!(
            secrets.hide(said.to_owned()),
            "mcp.example:443 /[secret]/ [secret] [secret] [secret] production abc"
        );
    }

    #[test]
    fn what_variables_gave_to_a_login_is_hidden() {
        let headers = BTreeMap::new();
        let (kind, url) = (RemoteKind::Http, "https://a.example".to_owned());
        let client_secret = Some("${TOKEN}".to_owned());
        let oauth = OauthSpec { client_id: Some("hub-id".to_owned()), client_secret, ..OauthSpec::default() };
        let mut spec = ServerSpec::new(Transport::Remote { kind, url, headers });
        spec.oauth = Some(Box::new(oauth));
        let hidden = Secrets::of(&spec, lookup).hide("hub-id and s3cret-token".to_owned());
        assert_eq!(hidden, "hub-id and [secret]");
    }

    #[test]
    fn credentials_that_were_written_down_are_hidden_as_well() {
        let secrets = remote(
            "https://a.example/mcp",
            &[
                ("authorization", "Bearer wr1tten"),
                ("X-Api-Key", "k3y-1"),
                ("Cookie", "a=s3ssion; b=0ther"),
                ("Accept-Language", "de-CH"),
            ],
        );
        let said = "Bearer of wr1tten and k3y-1, a=s3ssion; b=0ther, b=0ther, de-CH";
        assert_eq!(
            secrets.hide(said.to_owned()),
            "Bearer of [secret] and [secret], [secret], [secret], de-CH"
        );
    }

    #[test]
    fn what_variables_gave_to_a_process_is_hidden_and_what_was_written_is_not() {
        let env =
            [("A", "${TOKEN}"), ("B", "x-${TOKEN}"), ("C", "plain-text")].map(|(n, v)| (n.into(), v.into()));
        let (command, args) = ("server".to_owned(), Vec::new());
        let transport = Transport::Stdio { command, args, env: BTreeMap::from(env), cwd: None };
        let secrets = Secrets::of(&ServerSpec::new(transport), lookup);
        assert_eq!(
            secrets.hide("s3cret-token x-s3cret-token plain-text".to_owned()),
            "[secret] [secret] plain-text"
        );
    }

    #[test]
    fn a_secret_is_hidden_in_json_as_well() {
        let secrets = remote("https://a.example/mcp", &[("X-Env", "${QUOTED}")]);
        assert_eq!(secrets.hide(r#"{"a":"s3\"cret"} s3"cret"#.to_owned()), r#"{"a":"[secret]"} [secret]"#);
    }

    #[test]
    fn half_a_secret_is_no_more_shown_than_a_whole_one() {
        let secrets = remote("https://a.example/mcp", &[("X-Env", "${TOKEN}")]);
        let words = "it says s3cret-token and s3cret-token";
        for bytes in 1..words.len() + 9 {
            let cut = words.get(..bytes.min(words.len())).unwrap().to_owned();
            let shown = secrets.hide_and_cut(cut, bytes);
            assert!(!shown.contains("s3"), "{bytes}: {shown}");
            assert!(shown.len() <= bytes);
        }
        let whole = secrets.hide_and_cut(words.to_owned(), 100);
        assert_eq!(whole, "it says [secret] and [secret]");
    }
}
