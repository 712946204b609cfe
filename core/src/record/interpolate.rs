//! `${VAR}` in a server's specification: kept as written in the store, replaced when the server starts.
//!
//! `${VAR}` is the value of `VAR`, which must be set; `${VAR:-text}` is `text` when it is unset or empty; `${env:VAR}`,
//! the spelling of other clients, is `${VAR}`; `$${` is the two characters `${`. Any other `$` is itself. A
//! replacement is never looked at again, so a value cannot smuggle in another reference.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::oauth::OauthSpec;

use super::{Confinement, Paths, ServerSpec, Transport};

/// A reference without a value: not set and without a default, or not the name of a variable at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("${{{name}}} has no value (in {places}): no such variable is set")]
pub struct MissingVariable {
    /// What stood between `${` and `}` or `:-`.
    pub name: String,
    /// The parts of the specification that refer to it: `command`, `args`, `env NAME`, `cwd`, `url`, `header NAME`, `paths`,
    /// `wrapper`, `oauth NAME`.
    pub places: String,
}

/// The text with every reference replaced by its value. `Err` is what stood in the first that has none.
pub fn interpolate(text: &str, lookup: impl Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, from_dollar)) = split_at_dollar(rest) {
        out.push_str(before);
        rest = if let Some(after) = from_dollar.strip_prefix("$${") {
            out.push_str("${");
            after
        } else if let Some((reference, after)) = reference(from_dollar) {
            out.push_str(&value(reference, &lookup)?);
            after
        } else {
            out.push('$');
            from_dollar.strip_prefix('$').unwrap_or_default()
        };
    }
    out.push_str(rest);
    Ok(out)
}

/// The specification with every reference replaced, or every variable that is missing, each once.
///
/// The result holds secrets: it goes to the server's process or connection, and is neither stored nor shown.
pub fn resolve(
    spec: &ServerSpec,
    lookup: impl Fn(&str) -> Option<String>,
) -> Result<ServerSpec, Vec<MissingVariable>> {
    let mut filler = Filler { lookup, missing: BTreeMap::new() };
    let transport = match &spec.transport {
        Transport::Stdio { command, args, env, cwd } => Transport::Stdio {
            command: filler.text("command", command),
            args: args.iter().map(|arg| filler.text("args", arg)).collect(),
            env: filler.values("env", env),
            cwd: cwd.as_ref().map(|cwd| filler.text("cwd", cwd)),
        },
        Transport::Remote { kind, url, headers } => {
            let (url, headers) = (filler.text("url", url), filler.values("header", headers));
            Transport::Remote { kind: *kind, url, headers }
        }
    };
    let paths = &spec.confinement.paths;
    let mut all = |paths: &[String]| paths.iter().map(|path| filler.text("paths", path)).collect();
    let paths = Paths { read: all(&paths.read), write: all(&paths.write) };
    let wrapper = spec.confinement.wrapper.iter().map(|word| filler.text("wrapper", word)).collect();
    let oauth = spec.oauth.as_ref().map(|oauth| Box::new(filler.oauth(oauth)));
    if filler.missing.is_empty() {
        let confinement = Confinement { paths, wrapper, ..spec.confinement.clone() };
        Ok(ServerSpec { transport, confinement, oauth, ..spec.clone() })
    } else {
        let missing = filler.missing.into_iter();
        Err(missing.map(|(name, places)| MissingVariable { name, places: places.join(", ") }).collect())
    }
}

/// Replaces in many texts, and gathers what is missing.
struct Filler<L> {
    lookup: L,
    /// The places, by what is missing there.
    missing: BTreeMap<String, Vec<String>>,
}

impl<L: Fn(&str) -> Option<String>> Filler<L> {
    fn text(&mut self, place: &str, text: &str) -> String {
        interpolate(text, &self.lookup).unwrap_or_else(|missing| {
            let places = self.missing.entry(missing).or_default();
            if places.last().is_none_or(|last| last != place) {
                places.push(place.to_owned());
            }
            String::new()
        })
    }

    fn oauth(&mut self, spec: &OauthSpec) -> OauthSpec {
        let mut text = |name: &str, value: &Option<String>| {
            value.as_ref().map(|text| self.text(&format!("oauth {name}"), text))
        };
        OauthSpec {
            issuer: text("issuer", &spec.issuer),
            client_id: text("clientId", &spec.client_id),
            client_secret: text("clientSecret", &spec.client_secret),
            private_key: text("privateKey", &spec.private_key),
            private_key_file: text("privateKeyFile", &spec.private_key_file),
            client_metadata_url: text("clientMetadataUrl", &spec.client_metadata_url),
            ..spec.clone()
        }
    }

    fn values(&mut self, kind: &str, map: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let mut value = |name: &str, value: &str| self.text(&format!("{kind} {name}"), value);
        map.iter().map(|(name, text)| (name.clone(), value(name, text))).collect()
    }
}

/// What stands before the first `$`, and the rest from it on.
fn split_at_dollar(text: &str) -> Option<(&str, &str)> {
    text.find('$').and_then(|at| text.split_at_checked(at))
}

/// The inside of the `${...}` that the text begins with, and what follows it.
fn reference(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix("${")?.split_once('}')
}

fn value(reference: &str, lookup: impl Fn(&str) -> Option<String>) -> Result<String, String> {
    let (name, default) = match reference.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (reference, None),
    };
    let name = name.strip_prefix("env:").unwrap_or(name);
    let missing = || name.to_owned();
    if !is_name(name) {
        return Err(missing());
    }
    match (lookup(name), default) {
        (Some(value), Some(default)) if value.is_empty() => Ok(default.into()),
        (Some(value), _) => Ok(value),
        (None, Some(default)) => Ok(default.into()),
        (None, None) => Err(missing()),
    }
}

/// Letters, digits and `_`, and no digit first.
fn is_name(text: &str) -> bool {
    !text.starts_with(|c: char| c.is_ascii_digit())
        && !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::RemoteKind;
    use alloc::string::ToString;
    use alloc::vec;

    fn lookup(name: &str) -> Option<String> {
        match name {
            "HOME" => Some("/home/u".into()),
            "TOKEN" => Some("s3cret${HOME}".into()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }

    fn check(text: &str, expected: Result<&str, &str>) {
        let expected = expected.map(ToOwned::to_owned).map_err(ToOwned::to_owned);
        assert_eq!(interpolate(text, lookup), expected, "{text}");
    }

    #[test]
    fn a_reference_becomes_its_value() {
        check("", Ok(""));
        check("plain", Ok("plain"));
        check("${HOME}", Ok("/home/u"));
        check("a${HOME}b${HOME}c", Ok("a/home/ub/home/uc"));
        check("é${HOME}é", Ok("é/home/ué"));
        check("${env:HOME}/x", Ok("/home/u/x"));
    }

    #[test]
    fn a_default_stands_in_for_what_is_unset_or_empty() {
        check("${NOPE:-d}", Ok("d"));
        check("${EMPTY:-d}", Ok("d"));
        check("${NOPE:-}", Ok(""));
        check("${NOPE:-a:-b}", Ok("a:-b"));
        check("${HOME:-d}", Ok("/home/u"));
        check("${EMPTY}", Ok(""));
    }

    #[test]
    fn an_escaped_reference_is_kept_without_its_first_dollar() {
        check("$${HOME}", Ok("${HOME}"));
        check("$$${HOME}", Ok("$${HOME}"));
        check("$${", Ok("${"));
    }

    #[test]
    fn any_other_dollar_is_itself() {
        for text in ["$", "$$", "$HOME", "cost: 5$", "${", "${HOME", "$}"] {
            check(text, Ok(text));
        }
    }

    #[test]
    fn a_value_is_not_looked_at_again() {
        check("${TOKEN}", Ok("s3cret${HOME}"));
    }

    #[test]
    fn what_has_no_value_is_named() {
        check("${NOPE}", Err("NOPE"));
        check("${}", Err(""));
        check("${:-d}", Err(""));
        check("${input:token}", Err("input:token"));
        check("${1A:-d}", Err("1A"));
    }

    fn spec(transport: Transport) -> ServerSpec {
        let unknown = BTreeMap::from([("note".into(), "\"${NOPE}\"".into())]);
        ServerSpec { auto_approve: vec!["${NOPE}".into()], unknown, ..ServerSpec::new(transport) }
    }

    fn stdio(word: &str) -> ServerSpec {
        spec(Transport::Stdio {
            command: word.into(),
            args: vec![word.into()],
            env: BTreeMap::from([("${NOPE}".into(), word.into())]),
            cwd: Some(word.into()),
        })
    }

    fn remote(word: &str) -> ServerSpec {
        let headers = BTreeMap::from([("X".into(), word.into())]);
        spec(Transport::Remote { kind: RemoteKind::Sse, url: word.into(), headers })
    }

    #[test]
    fn command_args_env_values_cwd_url_and_headers_are_resolved_and_nothing_else() {
        assert_eq!(resolve(&stdio("${HOME}"), lookup), Ok(stdio("/home/u")));
        assert_eq!(resolve(&remote("${HOME}"), lookup), Ok(remote("/home/u")));
    }

    #[test]
    fn what_is_said_of_logins_is_resolved() {
        let oauth = |id: &str, secret: &str| {
            let (client_id, client_secret) = (Some(id.into()), Some(secret.into()));
            let oauth = OauthSpec { client_id, client_secret, ..OauthSpec::default() };
            ServerSpec { oauth: Some(Box::new(oauth)), ..remote("x") }
        };
        assert_eq!(resolve(&oauth("hub", "${HOME}"), lookup), Ok(oauth("hub", "/home/u")));
        let missing = resolve(&oauth("hub", "${NOPE}"), lookup).unwrap_err();
        assert_eq!(missing.first().map(|it| &*it.places), Some("oauth clientSecret"));
    }

    #[test]
    fn every_missing_variable_is_reported_once_with_its_places() {
        let missing = |spec: &ServerSpec| -> Vec<String> {
            resolve(spec, lookup).unwrap_err().iter().map(ToString::to_string).collect()
        };
        let all = "${NOPE} has no value (in command, args, env ${NOPE}, cwd): no such variable is set";
        assert_eq!(missing(&stdio("${NOPE}")), [all]);
        let all = "${NOPE} has no value (in url, header X): no such variable is set";
        assert_eq!(missing(&remote("${NOPE}")), [all]);
        let mut two = stdio("${HOME}");
        if let Transport::Stdio { command, args, .. } = &mut two.transport {
            "${Z}".clone_into(command);
            args.extend(["${A}".into(), "${A}".into()]);
        }
        let [a, z] = ["${A} has no value (in args)", "${Z} has no value (in command)"]
            .map(|words| [words, ": no such variable is set"].concat());
        assert_eq!(missing(&two), [a, z]);
    }
}
