//! Messages that two readers may read differently: sound ones, with this and that gone wrong.

use crate::dice::Dice;

const METHODS: [&str; 6] =
    ["tools/call", "tools/list", "resources/read", "prompts/get", "notifications/cancelled", "initialize"];

const NAMES: [&str; 8] = ["read", "delete", "a__b", "a.b", "Ä", "名", "", "x y"];

const URIS: [&str; 5] =
    ["file:///etc/passwd", "file:///a%2Fb", "test://x", "urn:uuid:0", "https://h/?a=1&b=%00#c"];

const VERSION: &str = "io.modelcontextprotocol/protocolVersion";

/// Pieces of the inside of strings, as they are written: some are text, some are not, some are no JSON.
const PIECES: [&str; 22] = [
    "a",
    "\\u0061",
    "\\u0041",
    "\\\"",
    "\\\\",
    "\\/",
    "\\n",
    "\\u0000",
    "\\ud834\\udd1e",
    "\\ud834",
    "\\udd1e",
    "\\udd1e\\ud834",
    "\\uD83D\\uDE00",
    "\u{2028}",
    "\u{feff}",
    "e\u{301}",
    "\u{1d11e}",
    "\\u{61}",
    "\\x61",
    "\\u00",
    "\\'",
    "\t",
];

/// What stands where a value should.
const VALUES: [&str; 36] = [
    "0",
    "-0",
    "7",
    "9007199254740993",
    "18446744073709551616",
    "1e2",
    "1E+400",
    "1e-400",
    "1.0",
    "-1.5e3",
    "01",
    "+1",
    ".5",
    "1.",
    "0x10",
    "1_000",
    "1e",
    "--1",
    "NaN",
    "Infinity",
    "-Infinity",
    "null",
    "true",
    "false",
    "True",
    "undefined",
    "[]",
    "{}",
    "[1,]",
    "{\"a\":1,}",
    "'a'",
    "[1 2]",
    "{\"name\":\"other\",\"uri\":\"other\"}",
    "{\"method\":\"other\",\"id\":0,\"params\":{\"name\":\"other\"}}",
    "{\"a\":1,\"a\":2}",
    "{\"a\":1,\"\\u0061\":2}",
];

/// Space between tokens, and what only some take for space.
const SPACES: [&str; 12] =
    [" ", "\n", "\r\n", "\t", "  ", "\u{a0}", "\u{feff}", "\0", "/*c*/", "//c\n", "\u{b}", "\u{2028}"];

/// A body.
pub(crate) fn draw(dice: &mut Dice) -> Vec<u8> {
    let oddity = dice.weighted(&[(0, 10), (2, 50), (6, 30), (15, 10)]);
    let mut writer = Writer { dice, oddity };
    let text = match writer.dice.below(100) {
        0..90 => writer.message(),
        90..98 => {
            let messages: Vec<String> = (0..writer.dice.below(4)).map(|_| writer.message()).collect();
            format!("[{}]", messages.join(","))
        }
        _ => writer.value("0"),
    };
    writer.damaged(text)
}

/// Writes sound JSON, but for one choice in a hundred for each point of oddity.
struct Writer<'a> {
    dice: &'a mut Dice,
    oddity: usize,
}

impl Writer<'_> {
    fn odd(&mut self) -> bool {
        self.dice.chance(self.oddity)
    }

    fn one(&mut self, of: &[&'static str]) -> &'static str {
        self.dice.pick(of).expect("there are some")
    }

    fn message(&mut self) -> String {
        let mut members = vec![self.member("jsonrpc", "\"2.0\"")];
        if self.dice.chance(90) {
            let id = self.id();
            members.push(self.member("id", id));
        }
        if self.dice.chance(8) {
            let (answer, value) = if self.dice.chance(50) {
                ("result", "{}")
            } else {
                ("error", "{\"code\":1,\"message\":\"\"}")
            };
            let value = self.value(value);
            members.push(self.member(answer, value));
        } else {
            let method = self.one(&METHODS);
            let method = self.string(method);
            members.push(self.member("method", method));
            let params = self.params();
            members.push(self.member("params", params));
        }
        if self.odd() {
            let value = self.value("{}");
            members.push(self.member("extra", value));
        }
        self.object(members)
    }

    fn params(&mut self) -> String {
        let mut members = Vec::new();
        if self.dice.chance(70) {
            let name = self.one(&NAMES);
            let name = self.string(name);
            members.push(self.member("name", name));
        }
        if self.dice.chance(40) {
            let uri = self.one(&URIS);
            let uri = self.string(uri);
            members.push(self.member("uri", uri));
        }
        if self.dice.chance(50) {
            let arguments = self.arguments();
            members.push(self.member("arguments", arguments));
        }
        if self.dice.chance(40) {
            let version = self.string("2026-07-28");
            let inner = vec![self.member(VERSION, version), self.member("progressToken", "1")];
            let meta = self.object(inner);
            members.push(self.member("_meta", meta));
        }
        self.object(members)
    }

    /// Arguments may hold what looks like a message, and are nobody's business.
    fn arguments(&mut self) -> String {
        let alike = self.one(&["name", "uri", "_meta", "method", "params", "__proto__", "constructor", ""]);
        let depth = self.dice.weighted(&[(0, 80), (5, 15), (40, 3), (200, 2)]);
        let value = format!("{}{}{}", "[".repeat(depth), self.value("\"x\""), "]".repeat(depth));
        let members = vec![self.member(alike, value), self.member("n", "1e5")];
        self.object(members)
    }

    fn id(&mut self) -> String {
        let id = self.one(&["1", "0", "-7", "9007199254740993", "18446744073709551615", "\"a\"", "\"\""]);
        if self.dice.chance(10) { self.string("id") } else { self.value(id) }
    }

    /// A value, or sometimes another one.
    fn value(&mut self, sound: &str) -> String {
        if !self.odd() {
            return sound.to_owned();
        }
        match self.dice.below(10) {
            0 => "9".repeat(1 + self.dice.below(5000)),
            1 => format!("1e{}", "9".repeat(1 + self.dice.below(400))),
            2 => self.string("text"),
            _ => self.one(&VALUES).to_owned(),
        }
    }

    fn string(&mut self, text: &str) -> String {
        let mut inner = String::new();
        for letter in text.chars() {
            if self.odd() {
                let code = u32::from(letter);
                let escaped = if code < 0x10000 { format!("\\u{code:04x}") } else { letter.to_string() };
                inner.push_str(&escaped);
            } else {
                inner.push(letter);
            }
        }
        if self.odd() {
            inner.push_str(self.one(&PIECES));
        }
        format!("\"{inner}\"")
    }

    fn member(&mut self, name: &str, value: impl AsRef<str>) -> (String, String) {
        let key = match self.dice.below(6) {
            0 if self.odd() => format!("\"{}\"", name.to_uppercase()),
            1 if self.odd() => format!("\"{name} \""),
            2 if self.odd() => name.to_owned(),
            3 if self.odd() => format!("'{name}'"),
            _ => self.string(name),
        };
        (key, self.value(value.as_ref()))
    }

    /// An object, in which a name may come twice.
    fn object(&mut self, mut members: Vec<(String, String)>) -> String {
        if self.odd() && !members.is_empty() {
            let (key, value) = members[self.dice.below(members.len())].clone();
            let again = if self.odd() { self.string(key.trim_matches('"')) } else { key };
            let value = if self.dice.chance(50) { value } else { self.one(&VALUES).to_owned() };
            members.insert(self.dice.below(members.len() + 1), (again, value));
        }
        if self.dice.chance(20) {
            let (a, b) = (self.dice.below(members.len().max(1)), self.dice.below(members.len().max(1)));
            if !members.is_empty() {
                members.swap(a, b);
            }
        }
        let mut text = "{".to_owned();
        for (index, (key, value)) in members.into_iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            let (before, after) = (self.space(), self.space());
            text.extend([comma, before, &key, after, ":", &value]);
        }
        if self.odd() {
            text.push(',');
        }
        text.push('}');
        text
    }

    fn space(&mut self) -> &'static str {
        if self.dice.chance(5) {
            return self.one(&SPACES[..5]);
        }
        if self.odd() { self.one(&SPACES) } else { "" }
    }

    /// What may become of bytes on their way.
    fn damaged(&mut self, text: String) -> Vec<u8> {
        let mut bytes = text.into_bytes();
        if !self.odd() {
            return bytes;
        }
        let at = self.dice.below(bytes.len() + 1);
        let foreign: [&[u8]; 9] = [
            b"\xef\xbb\xbf",
            b"\0",
            b"\xff",
            b"\xc0\xaf",
            b"\xed\xa0\xb4",
            b"\xf4\x90\x80\x80",
            b"\xe2\x80",
            b"}",
            b"\"",
        ];
        match self.dice.below(4) {
            0 => drop(bytes.splice(0..0, b"\xef\xbb\xbf".iter().copied())),
            1 => bytes.truncate(at),
            2 => bytes.extend_from_slice(self.dice.pick(&foreign).expect("there are some")),
            _ => {
                let piece = *self.dice.pick(&foreign).expect("there are some");
                drop(bytes.splice(at..at, piece.iter().copied()));
            }
        }
        bytes
    }
}
