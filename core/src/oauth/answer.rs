//! What comes back: the redirect of a login (RFC 6749 4.1.2, RFC 9207), tokens (RFC 6749 5.1), and refusals (5.2).

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use serde::{Deserialize, Deserializer};

use super::form::decoded;
use super::metadata::Misfit;

/// The longest words of an authorization server that are repeated, in bytes.
const WORDS_BYTES: usize = 300;

/// Where a browser was sent at the end of a login.
#[derive(Clone, PartialEq, Eq)]
pub struct Redirected(BTreeMap<String, String>);

impl Redirected {
    /// The parameters of the address that a browser was sent to, or of its path, or these alone. `None` where they
    /// cannot be read or one is there twice.
    pub fn read(address: &str) -> Option<Self> {
        let text = address.trim();
        let query = text.split_once('?').map_or(text, |(_, query)| query);
        let query = query.split('#').next().unwrap_or_default();
        let mut found = BTreeMap::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=')?;
            if found.insert(decoded(name)?, decoded(value)?).is_some() {
                return None;
            }
        }
        Some(Self(found))
    }

    /// The secret that a login was begun with, so that it is known which one this is the end of.
    pub fn state(&self) -> Option<&str> {
        self.text("state")
    }

    /// The code, if this is the end of a login at that issuer. Whose answer it is, is asked first: words of anybody
    /// else are not repeated.
    pub fn code(&self, issuer: &str, names_issuer: bool) -> Result<&str, Misfit> {
        match self.text("iss") {
            Some(iss) if iss != issuer => return Err(Misfit::OtherIssuer),
            None if names_issuer => return Err(Misfit::NoIssuer),
            Some(_) | None => {}
        }
        if let Some(error) = self.text("error") {
            let refused = Refused {
                error: error.to_owned(),
                error_description: self.text("error_description").map(Into::into),
            };
            return Err(Misfit::Refused(refused.words()));
        }
        self.text("code").filter(|code| !code.is_empty()).ok_or(Misfit::NoCode)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

/// Tokens, as an authorization server gives them.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct TokenAnswer {
    /// What servers are shown.
    pub access_token: String,
    token_type: String,
    /// For how long it is good, in seconds.
    #[serde(default, deserialize_with = "seconds")]
    pub expires_in: Option<u64>,
    /// What gets another one.
    pub refresh_token: Option<String>,
    /// What it is good for, where that is not what was asked for.
    pub scope: Option<String>,
}

impl TokenAnswer {
    /// Reads the body of an answer. Only tokens are taken that a header can carry, and that are for whoever bears them.
    pub fn read(body: &[u8]) -> Result<Self, Misfit> {
        let read: Self = serde_json::from_slice(body).map_err(|_| Misfit::Unreadable("token answer"))?;
        let fits = |token: &str| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
        if !read.token_type.eq_ignore_ascii_case("bearer") || !fits(&read.access_token) {
            return Err(Misfit::NoBearer);
        }
        Ok(Self { refresh_token: read.refresh_token.filter(|token| !token.is_empty()), ..read })
    }
}

/// Some say it as a text.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Said {
        Number(f64),
        Text(String),
        Nothing(()),
    }
    Ok(match Said::deserialize(deserializer)? {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a cast of a float saturates"
        )]
        Said::Number(number) => Some(number as u64),
        Said::Text(text) => text.parse().ok(),
        Said::Nothing(()) => None,
    })
}

/// Why an authorization server gives nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Refused {
    /// A word of the standard: `invalid_grant`, `invalid_client`.
    pub error: String,
    /// Its own words.
    pub error_description: Option<String>,
}

impl Refused {
    /// Reads the body of an error; `None` where it says nothing.
    pub fn read(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok()
    }

    /// For people, on one line and not endless.
    pub fn words(&self) -> String {
        let said = self.error_description.as_deref().filter(|said| !said.is_empty());
        let words = said.map_or_else(|| self.error.clone(), |said| format!("{} ({said})", self.error));
        let mut words: String = words.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        words.truncate(words.floor_char_boundary(WORDS_BYTES));
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    const ISSUER: &str = "https://a.example";

    #[track_caller]
    fn code(address: &str, names_issuer: bool) -> Result<String, String> {
        let read = Redirected::read(address).unwrap();
        read.code(ISSUER, names_issuer).map(ToOwned::to_owned).map_err(|misfit| misfit.to_string())
    }

    #[test]
    fn a_code_is_taken_from_a_whole_address_a_path_or_parameters() {
        for address in [
            "http://127.0.0.1:7/callback?code=a%2Bb&state=s",
            "/callback?state=s&code=a%2Bb#_",
            "code=a%2Bb&state=s\n",
        ] {
            assert_eq!(code(address, false), Ok("a+b".to_owned()), "{address}");
            assert_eq!(Redirected::read(address).unwrap().state(), Some("s"));
        }
        assert!(Redirected::read("/?code=a&code=b").is_none(), "twice");
        assert!(Redirected::read("/?code=%zz").is_none());
    }

    #[test]
    fn whose_answer_it_is_is_asked_before_anything_else() {
        for (query, names_issuer, expected) in [
            ("code=a", true, Err("names no issuer")),
            ("code=a&iss=https%3A%2F%2Fa.example", true, Ok("a")),
            ("code=a&iss=https%3A%2F%2Fa.example", false, Ok("a")),
            ("code=a&iss=https%3A%2F%2Fa.example%2F", true, Err("another issuer")),
            ("code=a&iss=https%3A%2F%2Fb.example", false, Err("another issuer")),
            ("error=access_denied&error_description=no%0Away", false, Err("access_denied (no way)")),
            ("error=access_denied&iss=https%3A%2F%2Fb.example", false, Err("another issuer")),
            ("state=s", false, Err("neither a code nor an error")),
            ("code=", false, Err("neither a code nor an error")),
        ] {
            match (code(query, names_issuer), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected),
                (Err(found), Err(expected)) => assert!(found.contains(expected), "{query}: {found}"),
                (found, expected) => panic!("{query}: {found:?}, not {expected:?}"),
            }
        }
    }

    #[test]
    fn tokens_are_taken_that_are_for_their_bearer_and_fit_into_a_header() {
        let read = |body: &str| TokenAnswer::read(body.as_bytes());
        let all =
            read(r#"{"access_token":"t","token_type":"bearer","expires_in":"60","refresh_token":"r","x":1}"#);
        let all = all.ok().unwrap();
        assert_eq!(
            (&*all.access_token, all.expires_in, all.refresh_token.as_deref()),
            ("t", Some(60), Some("r"))
        );
        for expires in ["60", "60.9"] {
            let body = format!(r#"{{"access_token":"t","token_type":"Bearer","expires_in":{expires}}}"#);
            assert_eq!(read(&body).ok().unwrap().expires_in, Some(60));
        }
        for body in [
            r#"{"access_token":"t","token_type":"DPoP"}"#,
            r#"{"access_token":"t"}"#,
            r#"{"access_token":"","token_type":"Bearer"}"#,
            r#"{"access_token":"a\r\nx: y","token_type":"Bearer"}"#,
            "[]",
            "",
        ] {
            assert!(read(body).is_err(), "{body}");
        }
        let short =
            read(r#"{"access_token":"t","token_type":"Bearer","expires_in":null,"refresh_token":""}"#);
        let short = short.ok().unwrap();
        assert_eq!((short.expires_in, short.refresh_token), (None, None));
    }

    #[test]
    fn a_refusal_is_repeated_on_one_line_and_not_endlessly() {
        let refused = Refused::read(br#"{"error":"invalid_grant","error_description":"a\nb"}"#).unwrap();
        assert_eq!(refused.words(), "invalid_grant (a b)");
        let long = Refused { error: "ü".repeat(1000), error_description: None };
        assert_eq!(long.words().len(), WORDS_BYTES);
        assert_eq!(Refused::read(b"<html>"), None);
    }
}
