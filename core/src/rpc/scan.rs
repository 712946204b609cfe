//! The one pass over foreign JSON: grammar (RFC 8259), UTF-8, depth, counts, duplicate keys, and the spans of the
//! members that the hub reads.
//!
//! General parsers do not do for us: those that keep raw text look neither at depth nor at duplicate keys within
//! it, and those that build trees cost several times as much and change numbers.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use super::chunks::plain;
use super::field::{Field, Fields, Section, Span};
use crate::{Exceeded, Fault, Limit, Limits, Rejection};

/// The bounds of one kind of message.
#[derive(Clone, Copy, Debug)]
pub struct JsonLimits {
    /// [`Limits::json_depth`].
    pub depth: usize,
    /// [`Limits::json_members`].
    pub members: usize,
    /// [`Limits::json_nodes`] or [`Limits::upstream_json_nodes`].
    pub nodes: usize,
    /// [`Limits::number_digits`].
    pub digits: usize,
}

impl JsonLimits {
    /// The bounds for what a client sends.
    pub fn of_clients(limits: &Limits) -> Self {
        Self {
            depth: limits.json_depth,
            members: limits.json_members,
            nodes: limits.json_nodes,
            digits: limits.number_digits,
        }
    }

    /// The bounds for what an upstream sends: results may be larger than requests.
    pub fn of_upstreams(limits: &Limits) -> Self {
        let nodes = limits.upstream_json_nodes;
        Self { nodes, members: nodes, ..Self::of_clients(limits) }
    }
}

/// Validates one JSON text and finds its fields.
///
/// `strict` refuses members of the message itself that JSON-RPC does not have: a differently spelt `Method`
/// could mean something to a laxer reader behind us. JSON-RPC is silent on them; the schemas of the TypeScript SDK refuse them
/// too, so no client that works elsewhere says any.
pub fn scan(text: &[u8], limits: JsonLimits, strict: bool) -> Result<Fields, Fault> {
    check_text(text)?;
    let mut scanner = Scanner::new(text, limits, strict);
    scanner.run()?;
    Ok(scanner.fields)
}

/// Validates one JSON text as a whole, and finds the elements of the array that it is. An object has none.
pub(super) fn scan_elements(text: &[u8], limits: JsonLimits) -> Result<Vec<Span>, Fault> {
    check_text(text)?;
    let mut scanner = Scanner::new(text, limits, false);
    scanner.run()?;
    Ok(scanner.elements)
}

fn check_text(text: &[u8]) -> Result<(), Rejection> {
    core::str::from_utf8(text).map_err(|_| Rejection::NotJson("not UTF-8"))?;
    u32::try_from(text.len()).map(drop).map_err(|_| Rejection::NotJson("too long"))
}

/// An object or array that is being read.
struct Frame {
    section: Section,
    object: bool,
    /// Where this object's keys begin in `Scanner::keys`.
    keys: usize,
    members: usize,
    /// The field whose value comes next, and where that value starts.
    pending: Option<Field>,
    value_start: usize,
}

struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
    limits: JsonLimits,
    strict: bool,
    nodes: usize,
    stack: Vec<Frame>,
    keys: Vec<Cow<'a, [u8]>>,
    fields: Fields,
    /// Of the array that the text is.
    elements: Vec<Span>,
}

impl<'a> Scanner<'a> {
    fn new(text: &'a [u8], limits: JsonLimits, strict: bool) -> Self {
        Self {
            text,
            at: 0,
            limits,
            strict,
            nodes: 0,
            stack: Vec::with_capacity(8),
            keys: Vec::with_capacity(16),
            fields: Fields::default(),
            elements: Vec::new(),
        }
    }

    fn run(&mut self) -> Result<(), Fault> {
        self.space();
        self.value()?;
        while !self.stack.is_empty() {
            self.space();
            self.step()?;
        }
        self.space();
        if self.at == self.text.len() { Ok(()) } else { Err(bad("text after the end of the value")) }
    }

    /// One member or element of the innermost container, or its end.
    fn step(&mut self) -> Result<(), Fault> {
        let Some(frame) = self.stack.last_mut() else { return Ok(()) };
        let (object, first) = (frame.object, frame.members == 0);
        if self.peek() == Some(if object { b'}' } else { b']' }) {
            self.advance(1);
            return self.close();
        }
        if !first {
            self.expect(b',', "expected a comma or the end of the container")?;
            self.space();
        }
        self.count_member()?;
        if object {
            self.key()?;
        }
        self.value()
    }

    /// Reads a value whole, or opens it when it is a container.
    fn value(&mut self) -> Result<(), Fault> {
        self.nodes = self.nodes.saturating_add(1);
        if self.nodes > self.limits.nodes {
            return Err(exceeded(Limit::JsonNodes, self.limits.nodes));
        }
        let start = self.at;
        if let Some(frame) = self.stack.last_mut() {
            frame.value_start = start;
        }
        match self.peek() {
            Some(b'{') => return self.open(true),
            Some(b'[') => return self.open(false),
            Some(b'"') => self.string().map(drop)?,
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b't') => self.literal(b"true")?,
            Some(b'f') => self.literal(b"false")?,
            Some(b'n') => self.literal(b"null")?,
            Some(_) => return Err(bad("expected a value")),
            None => return Err(bad("the text ends before the value does")),
        }
        self.record();
        Ok(())
    }

    fn open(&mut self, object: bool) -> Result<(), Fault> {
        if self.stack.len() >= self.limits.depth {
            return Err(exceeded(Limit::JsonDepth, self.limits.depth));
        }
        let section = match self.stack.last() {
            None if object => Section::Message,
            Some(parent) if object => parent.pending.map_or(Section::Other, Field::opens),
            None | Some(_) => Section::Other,
        };
        let keys = self.keys.len();
        self.stack.push(Frame { section, object, keys, members: 0, pending: None, value_start: 0 });
        self.advance(1);
        Ok(())
    }

    fn close(&mut self) -> Result<(), Fault> {
        if let Some(frame) = self.stack.pop()
            && frame.object
        {
            if has_duplicates(self.keys.get_mut(frame.keys..).unwrap_or_default()) {
                return Err(bad("the same key twice in one object"));
            }
            self.keys.truncate(frame.keys);
        }
        self.record();
        Ok(())
    }

    /// Notes the value that has just ended, if the hub reads it.
    fn record(&mut self) {
        let outermost = self.stack.len() == 1;
        if let Some(frame) = self.stack.last_mut()
            && let (Ok(start), Ok(end)) = (u32::try_from(frame.value_start), u32::try_from(self.at))
        {
            if let Some(field) = frame.pending.take() {
                self.fields.set(field, Span { start, end });
            } else if outermost && !frame.object {
                self.elements.push(Span { start, end });
            }
        }
    }

    fn count_member(&mut self) -> Result<(), Fault> {
        let bound = self.limits.members;
        if let Some(frame) = self.stack.last_mut() {
            frame.members = frame.members.saturating_add(1);
            if frame.members > bound {
                return Err(exceeded(Limit::JsonMembers, bound));
            }
        }
        Ok(())
    }

    fn key(&mut self) -> Result<(), Fault> {
        if self.peek() != Some(b'"') {
            return Err(bad("expected a key"));
        }
        let raw = self.string()?;
        let inner = raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default();
        // What is not escaped is its own text, as nearly every key is.
        let decoded = if inner.contains(&b'\\') { super::decode_string(raw) } else { None };
        let key = decoded.map_or(Cow::Borrowed(inner), |text| Cow::Owned(text.into_owned().into_bytes()));
        if let Some(frame) = self.stack.last_mut() {
            frame.pending = Field::find(frame.section, &key);
            if self.strict && frame.section == Section::Message && frame.pending.is_none() {
                return Err(unknown(&key));
            }
        }
        self.keys.push(key);
        self.space();
        self.expect(b':', "expected a colon after the key")?;
        self.space();
        Ok(())
    }

    /// Reads a string and returns it with its quotes.
    fn string(&mut self) -> Result<&'a [u8], Fault> {
        let start = self.at;
        self.advance(1);
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let Some(plain) = plain(rest) else { return Err(bad("a string without an end")) };
            self.advance(plain);
            match self.peek() {
                Some(b'"') => {
                    self.advance(1);
                    return Ok(self.text.get(start..self.at).unwrap_or_default());
                }
                Some(b'\\') => self.escape()?,
                Some(_) | None => return Err(bad("a control character in a string")),
            }
        }
    }

    fn escape(&mut self) -> Result<(), Fault> {
        self.advance(1);
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.advance(1),
            Some(b'u') => {
                let digits = self.text.get(self.at.saturating_add(1)..self.at.saturating_add(5));
                if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
                    return Err(bad("four hexadecimal digits must follow \\u"));
                }
                self.advance(5);
            }
            Some(_) | None => return Err(bad("an unknown escape in a string")),
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), Fault> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.advance(1);
        }
        match self.peek() {
            Some(b'0') => self.advance(1),
            Some(b'1'..=b'9') => self.digits()?,
            Some(_) | None => return Err(bad("a number without digits")),
        }
        if self.peek() == Some(b'.') {
            self.advance(1);
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.advance(1);
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.advance(1);
            }
            self.digits()?;
        }
        if self.at.saturating_sub(start) > self.limits.digits {
            return Err(exceeded(Limit::NumberDigits, self.limits.digits));
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Fault> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.advance(1);
        }
        if self.at > start { Ok(()) } else { Err(bad("a number without digits")) }
    }

    fn literal(&mut self, word: &[u8]) -> Result<(), Fault> {
        if self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word)) {
            self.advance(word.len());
            Ok(())
        } else {
            Err(bad("expected true, false or null"))
        }
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.advance(1);
        }
    }

    fn expect(&mut self, byte: u8, otherwise: &'static str) -> Result<(), Fault> {
        if self.peek() == Some(byte) {
            self.advance(1);
            Ok(())
        } else {
            Err(bad(otherwise))
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn advance(&mut self, by: usize) {
        self.at = self.at.saturating_add(by);
    }
}

/// Objects are small: comparing all pairs beats sorting below this many keys.
const FEW: usize = 12;

fn has_duplicates(keys: &mut [Cow<'_, [u8]>]) -> bool {
    if keys.len() <= FEW {
        let mut rest = &*keys;
        while let Some((key, tail)) = rest.split_first() {
            if tail.contains(key) {
                return true;
            }
            rest = tail;
        }
        return false;
    }
    keys.sort_unstable();
    keys.windows(2).any(|pair| pair.first() == pair.last())
}

/// The refusal of a member that a message does not have. Enough of its name is shown to find it by.
fn unknown(key: &[u8]) -> Fault {
    let name = core::str::from_utf8(key).unwrap_or_default();
    Rejection::UnknownMember(name.chars().take(40).collect()).into()
}

fn bad(why: &'static str) -> Fault {
    Rejection::NotJson(why).into()
}

fn exceeded(limit: Limit, value: usize) -> Fault {
    let hint = "send a smaller or flatter message";
    Exceeded { limit, value: value as u64, hint }.into()
}

#[cfg(test)]
#[path = "scan_tests.rs"]
mod tests;
