//! Tells code from comments and literals, as far as these tests need it: blanks what is not code.

/// The same text with comments and the contents of literals turned into spaces. Lines and positions are kept.
pub(crate) fn blank_text(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let Some(literal) = text_at(text.as_bytes(), at) else {
            at += 1;
            continue;
        };
        blank(&mut bytes[at + literal.opening..literal.end - literal.closing]);
        at = literal.end;
    }
    String::from_utf8(bytes).expect("whole characters were replaced by ASCII")
}

/// Turns everything but line ends into spaces.
pub(crate) fn blank(bytes: &mut [u8]) {
    bytes.iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
}

/// A comment or a literal: where it ends, and how many bytes at either side of it are delimiters to keep.
struct Text {
    end: usize,
    opening: usize,
    closing: usize,
}

/// The comment or literal that begins at `at`, if one does.
fn text_at(bytes: &[u8], at: usize) -> Option<Text> {
    let rest = &bytes[at..];
    let comment = |length| Text { end: at + length, opening: 0, closing: 0 };
    let quoted = |length| Text { end: at + length, opening: 1, closing: 1 };
    match rest {
        [b'/', b'/', ..] => Some(comment(find(rest, b"\n").unwrap_or(rest.len()))),
        [b'/', b'*', ..] => Some(comment(block_comment(rest))),
        [b'"', ..] => Some(quoted(string(rest))),
        [b'\'', ..] => character(rest).map(quoted),
        [b'r', ..] if begins_word(bytes, at) => {
            let hashes = rest[1..].iter().take_while(|byte| **byte == b'#').count();
            let quote = 1 + hashes;
            (rest.get(quote) == Some(&b'"')).then(|| Text {
                end: at + raw_string(rest, quote, hashes),
                opening: quote + 1,
                closing: 1 + hashes,
            })
        }
        _ => None,
    }
}

/// Whether an `r` here can open a raw string: nothing stands before it, or only a `b` or `c` that goes with it.
fn begins_word(bytes: &[u8], at: usize) -> bool {
    let word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let before = match &bytes[..at] {
        [before @ .., b'b' | b'c'] | before => before,
    };
    !before.last().is_some_and(word)
}

/// Block comments nest.
fn block_comment(rest: &[u8]) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => depth += 1,
            [b'*', b'/', ..] => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            break;
        }
    }
    at
}

fn string(rest: &[u8]) -> usize {
    let mut at = 1;
    while let Some(byte) = rest.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    panic!("a string without an end: {:?}", String::from_utf8_lossy(&rest[..rest.len().min(40)]))
}

fn raw_string(rest: &[u8], quote: usize, hashes: usize) -> usize {
    let mut end = vec![b'#'; hashes + 1];
    end[0] = b'"';
    let body = quote + 1;
    body + find(&rest[body..], &end).expect("a raw string has an end") + end.len()
}

/// The length of a character literal, or `None` where the quote opens a lifetime or a label.
fn character(rest: &[u8]) -> Option<usize> {
    if rest.get(1) == Some(&b'\\') {
        return find(&rest[3..], b"'").map(|length| length + 4);
    }
    let letter = rest[1..rest.len().min(5)].utf8_chunks().next()?.valid().chars().next()?;
    let length = 1 + letter.len_utf8();
    (rest.get(length) == Some(&b'\'')).then_some(length + 1)
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

fn check(code: &str, blanked: &str) {
    assert_eq!(blank_text(code), blanked);
}

#[test]
fn comments_are_blanked_and_lines_are_kept() {
    check("a // b\nc", "a     \nc");
    check("a /* b /* c\n */ d */ e", "a          \n         e");
    check("//! x\nmod y;", "     \nmod y;");
}

#[test]
fn contents_of_literals_are_blanked() {
    check(r#"let s = "a // \" b"; x"#, r#"let s = "         "; x"#);
    check("r#\"a \" b\"# c", "r#\"     \"# c");
    check("br\"\\\" c", "br\" \" c");
    check("['\"', '\\'', 'é'] \"x\"", "[' ', '  ', '  '] \" \"");
}

#[test]
fn lifetimes_labels_and_raw_identifiers_stay() {
    check("fn f<'a>(x: &'a str) { 'l: loop {} }", "fn f<'a>(x: &'a str) { 'l: loop {} }");
    check("r#match r#\"x\"#", "r#match r#\" \"#");
    check("for\"x\"", "for\" \"");
}
