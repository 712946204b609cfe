//! Heads and bodies, and what becomes of them.

use super::*;
use orch_core::Limits;
use proptest::prelude::*;

/// A request line and a host, and what else is in the head.
fn head(line: &str, rest: &str) -> String {
    format!("{line}\r\nHost: h\r\n{rest}\r\n")
}

fn post(rest: &str) -> String {
    head("POST /mcp HTTP/1.1", rest)
}

/// How much of the bytes is passed when they come in pieces of this size, and the flaw after that.
fn passed(bytes: &[u8], piece: usize) -> (usize, Option<Flaw>) {
    let (mut gate, mut shown, mut come) = (Gate::new(&Limits::default()), 0, 0);
    while come < bytes.len() {
        come = bytes.len().min(come.saturating_add(piece));
        let Passed { bytes, flaw } = gate.pass(&bytes[shown..come]);
        shown += bytes;
        if flaw.is_some() {
            return (shown, flaw);
        }
    }
    (shown, None)
}

#[track_caller]
fn check(text: &str, expected: usize, flaw: Option<&str>) {
    for piece in [usize::MAX, 7, 1] {
        let (shown, found) = passed(text.as_bytes(), piece);
        let found = found.map(|flaw| match flaw {
            Flaw::Head(fault) => format!("{} {fault}", fault.wire().status),
            Flaw::Body => "body".to_owned(),
        });
        assert_eq!(shown, expected, "{text:?} in pieces of {piece}: {found:?}");
        let as_expected = match (&found, flaw) {
            (Some(found), Some(flaw)) => found.contains(flaw),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        assert!(as_expected, "{text:?} in pieces of {piece}: {found:?}");
    }
}

#[track_caller]
fn whole(text: &str) {
    check(text, text.len(), None);
}

#[track_caller]
fn refused(text: &str, flaw: &str) {
    check(text, 0, Some(flaw));
}

#[test]
fn what_clients_send_is_passed() {
    for rest in [
        "",
        "Content-Length: 0\r\n",
        "Connection: Keep-Alive\r\n",
        "Connection: close, TE\r\nTE: trailers\r\n",
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
        "Expect: 100-Continue\r\n",
        "X-Text: gr\u{fc}\u{df}e\t\"\\\r\nX-Empty:\r\nX-None: \r\n",
    ] {
        whole(&post(rest));
    }
    whole("\r\nGET /a%20b?c=d&e=(f) HTTP/1.1\r\n\r\n");
    whole("GET http://[::1]:8000/mcp HTTP/1.0\r\n\r\n");
}

#[test]
fn an_incomplete_head_is_held_back_and_a_body_is_not() {
    check("POST /mcp HTTP/1.1\r\nHost: h\r\n", 0, None);
    let text = format!("{}ab", post("Content-Length: 5\r\n"));
    whole(&text);
    let next = format!("{text}cdePOST");
    check(&next, next.len() - 4, None);
    let none = format!("{}GET", post(""));
    check(&none, none.len() - 3, None);
}

#[test]
fn requests_in_a_row_are_each_judged() {
    let good = format!("{}abcde{}", post("Content-Length: 5\r\n"), post("Transfer-Encoding: chunked\r\n"));
    let good = format!("{good}3;x=\"y\"\r\na\nb\r\n10\r\n0123456789abcdef\r\n0\r\nTrailer: x\r\n\r\n");
    whole(&good);
    check(&format!("{good}GET / HTTP/1.1\n\n"), good.len(), Some("LF alone"));
    check(&format!("{good}{}", post("a : b\r\n")), good.len(), Some("space before its colon"));
}

#[test]
fn lines_end_with_cr_lf_and_are_not_folded() {
    refused("GET / HTTP/1.1\n\n", "LF alone");
    refused("GET / HTTP/1.1\r\nHost: h\n\r\n", "LF alone");
    refused("GET / HTTP/1.1\r\nHost: h\r\n\n", "LF alone");
    refused("\nGET / HTTP/1.1\r\n\r\n", "LF alone");
    refused(&post("A: b\r\n c\r\n"), "folded");
    refused("GET / HTTP/1.1\r\n Host: h\r\n\r\n", "folded");
    refused(&post("A: b\rc\r\n"), "control character");
    refused(&post("A: b\0c\r\n"), "control character");
    refused(&post("Transfer-Encoding: \rchunked\r\n"), "control character");
    refused(&post("Transfer-Encoding: chunked\u{c}\r\n"), "control character");
}

#[test]
fn a_header_is_a_name_a_colon_and_a_value() {
    for field in ["A : b", "A\t: b", ": b", "A(b: c", "\u{e4}: b"] {
        refused(&post(&format!("{field}\r\n")), "a header name that is none");
    }
    refused(&post("A\r\n"), "without a colon");
}

#[test]
fn a_request_line_is_a_method_a_target_and_the_version() {
    for line in [
        "GET /",
        "GET  / HTTP/1.1",
        "GET / HTTP/1.1 ",
        " GET / HTTP/1.1",
        "GET\t/\tHTTP/1.1",
        "GET /a b HTTP/1.1",
    ] {
        assert!(passed(head(line, "").as_bytes(), 9).1.is_some(), "{line:?}");
    }
    for version in ["HTTP/0.9", "HTTP/1.2", "HTTP/2.0", "http/1.1", "HTTP/1.1x"] {
        refused(&head(&format!("GET / {version}"), ""), "another version");
    }
    for target in ["*", "mcp", "h:80", "ftp://h/mcp", "http//h"] {
        refused(&head(&format!("GET {target} HTTP/1.1"), ""), "no path");
    }
    for target in ["/a#b", "/a\\b", "/\u{e4}", "/a\"", "/<a>", "/mcp\u{7f}"] {
        refused(&head(&format!("GET {target} HTTP/1.1"), ""), "percent-encoded");
    }
    refused(&head("TRACE /mcp HTTP/1.1", ""), "TRACE");
    refused(&head("CONNECT h:80 HTTP/1.1", ""), "TRACE");
    refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "another version");
    refused("\u{16}\u{3}\u{1}\u{2}", "no request line");
}

#[test]
fn a_body_is_framed_in_one_way() {
    refused(&post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), "both Content-Length");
    refused(&post("transfer-encoding: chunked\r\ncontent-length: 5\r\n"), "both Content-Length");
    refused(&post("Content-Length: 5\r\nContent-Length: 5\r\n"), "two Content-Length");
    for length in ["5, 5", "+5", "-5", "0x5", "", "5 5", "18446744073709551616"] {
        refused(&post(&format!("Content-Length: {length}\r\n")), "not a number");
    }
    for coding in ["gzip, chunked", "chunked, chunked", "xchunked", "identity", "\"chunked\"", ""] {
        refused(&post(&format!("Transfer-Encoding: {coding}\r\n")), "chunked, once");
    }
    refused(&post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), "chunked, once");
    refused(&head("POST / HTTP/1.0", "Transfer-Encoding: chunked\r\n"), "HTTP/1.0");
}

#[test]
fn a_chunked_body_is_read_as_it_is_written() {
    let head = post("Transfer-Encoding: chunked\r\n");
    for (good, bad) in [
        ("", "\r"),
        ("", "x"),
        ("", ";"),
        ("", "-1"),
        ("5", "\n"),
        ("5", " "),
        ("0000000000000005", "0"),
        ("5\r", "\r"),
        ("5;a=b", "\n"),
        ("5;a=b", "\0"),
        ("2\r\nab", "c"),
        ("2\r\nab\r", "c"),
        ("0\r\n", "\n"),
        ("0\r\nA: b", "\n"),
        ("0\r\nA: b\r", "x"),
        ("0\r\n\r", "x"),
    ] {
        for piece in [1, usize::MAX] {
            let found = passed(format!("{head}{good}{bad}").as_bytes(), piece);
            assert_eq!(found, (head.len() + good.len(), Some(Flaw::Body)), "{good:?} {bad:?}");
        }
    }
}

#[test]
fn connection_takes_no_header_away_and_nothing_is_upgraded_to() {
    for option in ["authorization", "close, Host", "mcp-session-id", "content-length", "origin,close"] {
        refused(&post(&format!("Connection: {option}\r\n")), "Connection names a header");
    }
    for protocol in ["websocket", "h2c, websocket", "TLS/1.2", ""] {
        refused(&post(&format!("Upgrade: {protocol}\r\n")), "nothing to upgrade to");
    }
    refused(&post("Expect: 200-ok\r\n"), "417");
}

#[test]
fn heads_have_their_bounds() {
    let limits = Limits::default();
    let fields = |count: usize| post(&"A: b\r\n".repeat(count - 1));
    whole(&fields(limits.header_fields));
    refused(&fields(limits.header_fields + 1), "431 limit header_fields");
    let long = |bytes: usize| post(&format!("A: {}\r\n", "b".repeat(bytes - post("A: \r\n").len())));
    whole(&long(limits.head_bytes));
    refused(&long(limits.head_bytes + 1), "431 limit head_bytes");
    let endless = "a".repeat(limits.head_bytes + 1);
    refused(&endless, "431 limit head_bytes");
}

proptest! {
    #[test]
    fn any_chunking_passes_the_same_bytes(
        lines in proptest::collection::vec(
            "(GET / HTTP/1.1|POST /mcp HTTP/1.1|Host: h|Content-Length: [0-9]|Transfer-Encoding: chunked|[0-9a-f]|[a-z: ]{0,6})?\r?\n",
            0..12,
        ),
        piece in 1_usize..40,
    ) {
        let text = lines.concat();
        prop_assert_eq!(passed(text.as_bytes(), piece), passed(text.as_bytes(), usize::MAX));
    }
}
