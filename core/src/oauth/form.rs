//! What is said to the endpoints of an authorization server: `application/x-www-form-urlencoded`.

use alloc::format;
use alloc::string::String;
use core::fmt::Write as _;

/// Parameters, encoded.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Form(String);

impl Form {
    /// With one more parameter.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        if !self.0.is_empty() {
            self.0.push('&');
        }
        self.0.push_str(&encoded(name));
        self.0.push('=');
        self.0.push_str(&encoded(value));
        self
    }

    /// With one more, if there is one.
    #[must_use]
    pub fn with_some(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.0
    }
}

/// An endpoint with parameters behind those that it has.
pub fn with_query(endpoint: &str, form: &Form) -> String {
    let between = match endpoint.split_once('?') {
        None => "?",
        Some((_, "")) => "",
        Some((_, query)) if query.ends_with('&') => "",
        Some(_) => "&",
    };
    format!("{endpoint}{between}{}", form.0)
}

/// A text in which nothing but unreserved characters stands for itself (RFC 3986 2.3), which every reader of forms takes.
pub(super) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to memory does not fail.
            let _written = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// A text of a form; `None` where it is no UTF-8 or breaks off.
pub(super) fn decoded(text: &str) -> Option<String> {
    let mut out = alloc::vec::Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                let (high, low) = (digit(bytes.next())?, digit(bytes.next())?);
                u8::try_from(high * 16 + low).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_as_it_was_written() {
        let form = Form::default().with("a b", "c+d&e=f/ü").with_some("no", None).with_some("g", Some("~"));
        assert_eq!(form.text(), "a%20b=c%2Bd%26e%3Df%2F%C3%BC&g=~");
        assert_eq!(decoded("c%2Bd%26e%3Df%2f%C3%BC+x").as_deref(), Some("c+d&e=f/ü x"));
        for broken in ["%", "%2", "%zz", "%ff", "%+1"] {
            assert_eq!(decoded(broken), None, "{broken}");
        }
    }

    #[test]
    fn parameters_follow_those_that_an_endpoint_has() {
        let form = Form::default().with("a", "1");
        for (endpoint, expected) in [
            ("https://x/auth", "https://x/auth?a=1"),
            ("https://x/auth?", "https://x/auth?a=1"),
            ("https://x/auth?b=2", "https://x/auth?b=2&a=1"),
            ("https://x/auth?b=2&", "https://x/auth?b=2&a=1"),
        ] {
            assert_eq!(with_query(endpoint, &form), expected);
        }
    }
}
