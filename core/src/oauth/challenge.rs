//! `WWW-Authenticate`: what a server that refuses a request wants instead (RFC 9110 11.6.1, RFC 6750 3, RFC 9728 5.1).

use alloc::string::String;
use alloc::vec::Vec;

/// What a server wants of a bearer of tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Challenge {
    /// Where its metadata is.
    pub resource_metadata: Option<String>,
    /// The scopes that it wants, with spaces between them.
    pub scope: Option<String>,
    /// Why it refused: `invalid_token`, `insufficient_scope`.
    pub error: Option<String>,
}

impl Challenge {
    /// The challenge for bearers in the values of all `WWW-Authenticate` of one answer; the first, if there are several.
    /// `None` if there is none. What cannot be read ends its value there.
    pub fn read<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Option<Self> {
        values.into_iter().find_map(|value| bearer(Reader(value)))
    }

    /// Whether the token is good, and stands for too little.
    pub fn wants_scope(&self) -> bool {
        self.error.as_deref() == Some("insufficient_scope")
    }

    fn take(&mut self, name: &[u8], value: String) {
        for (known, field) in [
            ("resource_metadata", &mut self.resource_metadata),
            ("scope", &mut self.scope),
            ("error", &mut self.error),
        ] {
            if name.eq_ignore_ascii_case(known.as_bytes()) && field.is_none() {
                *field = Some(value);
                return;
            }
        }
    }
}

fn bearer(mut rest: Reader<'_>) -> Option<Challenge> {
    let mut found: Option<Challenge> = None;
    let mut is_bearer = false;
    loop {
        rest.pass(b", \t");
        let word = rest.token();
        if word.is_empty() {
            return found;
        }
        let spaces = rest.pass(b" \t");
        if let Some(behind) = rest.0.strip_prefix(b"=") {
            rest = Reader(behind);
            rest.pass(b" \t");
            let value = rest.value()?;
            if let Some(found) = found.as_mut().filter(|_| is_bearer) {
                found.take(word, value);
            }
        } else {
            // A scheme, and whatever is said in its own alphabet (token68).
            if found.is_some() {
                return found;
            }
            is_bearer = word.eq_ignore_ascii_case(b"bearer");
            found = is_bearer.then(Challenge::default);
            if spaces {
                rest.token68();
            }
        }
    }
}

/// What is left of a value.
#[derive(Clone, Copy)]
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Passes over these bytes; whether there were any.
    fn pass(&mut self, bytes: &[u8]) -> bool {
        !self.take(|byte| bytes.contains(&byte)).is_empty()
    }

    fn take(&mut self, is: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self.0.iter().position(|byte| !is(*byte)).unwrap_or(self.0.len());
        let (taken, rest) = self.0.split_at_checked(end).unwrap_or((self.0, &[]));
        self.0 = rest;
        taken
    }

    fn token(&mut self) -> &'a [u8] {
        self.take(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
    }

    /// Passes over credentials that are no parameters: what follows them is a comma or nothing.
    fn token68(&mut self) {
        let mut ahead = *self;
        ahead.take(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte));
        ahead.take(|byte| byte == b'=');
        ahead.pass(b" \t");
        if ahead.0.first().is_none_or(|byte| *byte == b',') {
            *self = ahead;
        }
    }

    /// The value of a parameter, if it can be read.
    fn value(&mut self) -> Option<String> {
        let text = match self.0.strip_prefix(b"\"") {
            Some(quoted) => {
                self.0 = quoted;
                self.quoted()
            }
            None => Some(self.token().to_vec()).filter(|token| !token.is_empty()),
        };
        text.and_then(|text| String::from_utf8(text).ok())
    }

    fn quoted(&mut self) -> Option<Vec<u8>> {
        let mut text = Vec::new();
        loop {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            match byte {
                b'"' => return Some(text),
                b'\\' => {
                    let (escaped, rest) = self.0.split_first()?;
                    self.0 = rest;
                    text.push(*escaped);
                }
                other => text.push(*other),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::borrow::ToOwned;

    #[track_caller]
    fn check(values: &[&str], expected: Option<[Option<&str>; 3]>) {
        let found = Challenge::read(values.iter().map(|value| value.as_bytes()));
        let expected = expected.map(|parts| {
            let [resource_metadata, scope, error] = parts.map(|part| part.map(ToOwned::to_owned));
            Challenge { resource_metadata, scope, error }
        });
        assert_eq!(found, expected, "{values:?}");
    }

    #[test]
    fn the_parameters_of_a_bearer_challenge_are_read_in_any_spelling() {
        let all = Some([Some("https://a.example/m"), Some("a b"), Some("insufficient_scope")]);
        check(
            &[r#"Bearer resource_metadata="https://a.example/m", scope="a b", error="insufficient_scope""#],
            all,
        );
        check(
            &[r#"bearer error=insufficient_scope,,SCOPE = "a b" , Resource_Metadata="https:\//a.example/m""#],
            all,
        );
        check(&["Bearer"], Some([None; 3]));
        check(&["Bearer realm=\"x, Bearer scope=1\""], Some([None; 3]));
        check(&["Bearer scope=\"a\", scope=\"b\""], Some([None, Some("a"), None]));
    }

    #[test]
    fn the_challenge_for_bearers_is_found_among_others() {
        let a = Some([None, Some("a"), None]);
        check(&["Basic realm=\"x\", Bearer scope=a"], a);
        check(&["Negotiate, Bearer scope=a, Digest scope=\"b\""], a);
        check(&["Negotiate YWJj+/==, Bearer scope=a"], a);
        check(&["Basic scope=b", "Bearer scope=a"], a);
        check(&["Bearer scope=a, Basic error=c"], a);
        check(&["DPoP scope=a"], None);
        check(&[], None);
        check(&["", " , ,"], None);
    }

    #[test]
    fn what_cannot_be_read_is_not_believed() {
        check(&["Bearer scope=\"a"], None);
        check(&["Bearer scope=\"a\\"], None);
        check(&["=, \"", "Bearer \u{e9}"], Some([None; 3]));
    }
}
