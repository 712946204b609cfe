//! The head of a request as bytes (RFC 9112), read line by line as it comes.

use orch_core::{Exceeded, Fault, Limit, Rejection};

use super::chunks::is_text;

/// Options of `Connection` that take no header away that anybody here looks at. Clients that would like to speak
/// HTTP/2 send the last two with their first request, and are answered in HTTP/1.1.
const OPTIONS: [&str; 5] = ["close", "keep-alive", "te", "upgrade", "http2-settings"];

/// How the body after a head is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    Length(u64),
    Chunked,
}

/// A head that is being read.
#[derive(Debug, Default)]
pub(super) struct Head {
    /// How much of it was read: whole lines.
    at: usize,
    /// How much of it is known to hold no line feed after that.
    searched: usize,
    /// The version of its request line, once that was read.
    version: Option<Version>,
    fields: usize,
    length: Option<u64>,
    chunked: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    Http10,
    Http11,
}

impl Head {
    /// Reads on in the head that begins with `bytes`. `None` when they end before it does.
    pub(super) fn read(
        &mut self,
        bytes: &[u8],
        most: usize,
        fields: usize,
    ) -> Result<Option<Framing>, Fault> {
        // What is no HTTP at all is not waited for to become some.
        if bytes.first().is_some_and(|byte| !is_text(*byte) && !b"\r\n".contains(byte)) {
            return Err(malformed("no request line"));
        }
        loop {
            let rest = bytes.get(self.at..).unwrap_or_default();
            let ahead = self.searched.saturating_sub(self.at);
            let end = rest.get(ahead..).and_then(|rest| memchr::memchr(b'\n', rest));
            let end = end.map(|end| end.saturating_add(ahead));
            let read = end.map_or(bytes.len(), |end| self.at.saturating_add(end).saturating_add(1));
            if read > most {
                return Err(exceeded(Limit::HeadBytes, most, "send fewer or shorter headers"));
            }
            let Some(line) = end.and_then(|end| rest.get(..end)) else {
                self.searched = bytes.len();
                return Ok(None);
            };
            let line = line.strip_suffix(b"\r").ok_or_else(|| malformed("a line that ends with LF alone"))?;
            self.at = read;
            match self.version {
                // An empty line before the request line is left over from some other request (section 2.2).
                None if line.is_empty() => {}
                None => self.version = Some(request_line(line)?),
                Some(version) if line.is_empty() => return self.framing(version).map(Some),
                Some(_) => {
                    self.fields = self.fields.saturating_add(1);
                    if self.fields > fields {
                        return Err(exceeded(Limit::HeaderFields, fields, "send fewer headers"));
                    }
                    self.field(line)?;
                }
            }
        }
    }

    /// The length of a head that was read to its end.
    pub(super) fn bytes(&self) -> usize {
        self.at
    }

    fn framing(&self, version: Version) -> Result<Framing, Fault> {
        match (self.chunked, self.length) {
            (true, Some(_)) => Err(malformed("both Content-Length and Transfer-Encoding")),
            (true, None) if version == Version::Http10 => Err(malformed("Transfer-Encoding in HTTP/1.0")),
            (true, None) => Ok(Framing::Chunked),
            (false, length) => Ok(Framing::Length(length.unwrap_or(0))),
        }
    }

    fn field(&mut self, line: &[u8]) -> Result<(), Fault> {
        if line.first().is_some_and(|byte| b" \t".contains(byte)) {
            return Err(malformed("a folded header line"));
        }
        let colon = line
            .iter()
            .position(|byte| *byte == b':')
            .ok_or_else(|| malformed("a header without a colon"))?;
        let (name, value) = line.split_at_checked(colon).unwrap_or_default();
        if !is_token(name) {
            return Err(malformed("a header name that is none, or a space before its colon"));
        }
        let value = value.get(1..).unwrap_or_default();
        if !value.iter().all(|byte| is_text(*byte)) {
            return Err(malformed("a control character in a header"));
        }
        let value = value.trim_ascii();
        match name.len() {
            6 if name.eq_ignore_ascii_case(b"expect") => expectation(value),
            7 if name.eq_ignore_ascii_case(b"upgrade") => upgrade(value),
            10 if name.eq_ignore_ascii_case(b"connection") => options(value),
            14 if name.eq_ignore_ascii_case(b"content-length") => self.content_length(value),
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => self.transfer_encoding(value),
            _ => Ok(()),
        }
    }

    fn content_length(&mut self, value: &[u8]) -> Result<(), Fault> {
        let digits = value.iter().all(u8::is_ascii_digit);
        let length = str::from_utf8(value).ok().filter(|_| digits).and_then(|text| text.parse().ok());
        match (length, self.length) {
            (Some(length), None) => self.length = Some(length),
            (None, _) => return Err(malformed("Content-Length is not a number")),
            (Some(_), Some(_)) => return Err(malformed("two Content-Length headers")),
        }
        Ok(())
    }

    fn transfer_encoding(&mut self, value: &[u8]) -> Result<(), Fault> {
        if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
            return Err(malformed("Transfer-Encoding is not chunked, once"));
        }
        self.chunked = true;
        Ok(())
    }
}

fn request_line(line: &[u8]) -> Result<Version, Fault> {
    let mut words = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(malformed("a request line is a method, a target and a version, with one space between"));
    };
    if !is_token(method) {
        return Err(malformed("the method is no word"));
    }
    let version = match version {
        b"HTTP/1.0" => Version::Http10,
        b"HTTP/1.1" => Version::Http11,
        _ => return Err(malformed("another version than HTTP/1.1")),
    };
    if [b"CONNECT".as_slice(), b"TRACE"].contains(&method) {
        return Err(malformed("CONNECT and TRACE are not served"));
    }
    let absolute = || {
        let scheme = target.split(|byte| *byte == b':').next().unwrap_or_default();
        scheme.eq_ignore_ascii_case(b"http") || scheme.eq_ignore_ascii_case(b"https")
    };
    if !target.starts_with(b"/") && !absolute() {
        return Err(malformed("the request target is no path"));
    }
    let stands_for_itself =
        |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:@/?".contains(byte);
    // Brackets belong to the address of a host.
    if target.iter().all(|byte| stands_for_itself(byte) || b"[]".contains(byte)) {
        Ok(version)
    } else {
        Err(malformed("a character in the request target that has to be percent-encoded"))
    }
}

fn expectation(value: &[u8]) -> Result<(), Fault> {
    if value.eq_ignore_ascii_case(b"100-continue") { Ok(()) } else { Err(Rejection::Expectation.into()) }
}

/// HTTP/2 over plain TCP is offered by clients that are content without it; whoever asks for anything else means it.
fn upgrade(value: &[u8]) -> Result<(), Fault> {
    if value.eq_ignore_ascii_case(b"h2c") { Ok(()) } else { Err(malformed("there is nothing to upgrade to")) }
}

fn options(value: &[u8]) -> Result<(), Fault> {
    let harmless = |option: &[u8]| {
        let option = option.trim_ascii();
        option.is_empty() || OPTIONS.iter().any(|known| option.eq_ignore_ascii_case(known.as_bytes()))
    };
    if value.split(|byte| *byte == b',').all(harmless) {
        Ok(())
    } else {
        Err(malformed("Connection names a header that is not of the connection"))
    }
}

fn is_token(word: &[u8]) -> bool {
    !word.is_empty() && word.iter().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(b))
}

fn malformed(why: &'static str) -> Fault {
    Rejection::Malformed(why).into()
}

fn exceeded(limit: Limit, value: usize, hint: &'static str) -> Fault {
    Exceeded { limit, value: u64::try_from(value).unwrap_or(u64::MAX), hint }.into()
}
