//! HTTP that makes no sense, or that two readers may read differently.

use super::row::{Row, check};
use super::stage::{PATH, Stage};

const PING: &str = r#"{"jsonrpc":"2.0","id":7,"method":"ping"}"#;
const JSON: &str = "Content-Type: application/json\r\n";

#[tokio::test]
async fn http_that_two_readers_may_read_differently_is_refused_in_words() {
    let stage = Stage::new().await;
    let mut rows = heads(&stage);
    rows.extend(lengths(&stage));
    rows.extend(request_lines(&stage));
    rows.extend(bounds(&stage));
    check(&stage, rows).await;
}

fn malformed(name: impl Into<String>, bytes: impl Into<Vec<u8>>, says: &'static str) -> Row {
    Row::refused(name, bytes, 400, -32600, says)
}

fn heads(stage: &Stage) -> Vec<Row> {
    let post = |lines: &str| stage.request(&format!("POST {PATH}"), &format!("{JSON}{lines}"), PING);
    let lines = [
        ("folded header", "A: b\r\n c\r\n", "folded"),
        ("space before the colon", "A : b\r\n", "space before its colon"),
        ("tab before the colon", "A\t: b\r\n", "space before its colon"),
        ("header without a name", ": b\r\n", "name"),
        ("header without a colon", "A\r\n", "colon"),
        ("parenthesis in a name", "A(: b\r\n", "name"),
        ("NUL in a value", "A: b\0c\r\n", "control character"),
        ("CR in a value", "A: b\rc\r\n", "control character"),
        ("LF at a line end", "A: b\n", "LF alone"),
        ("Connection takes the key away", "Connection: authorization\r\n", "Connection"),
        ("Connection takes Host away", "Connection: close, host\r\n", "Connection"),
        ("Connection takes the session away", "Connection: Mcp-Session-Id\r\n", "Connection"),
        ("upgrade to WebSocket", "Upgrade: websocket\r\n", "upgrade"),
        ("upgrade to TLS", "Upgrade: TLS/1.2\r\n", "upgrade"),
        ("two keys", "Authorization: Bearer x\r\n", "sent twice"),
        ("two session ids", "Mcp-Session-Id: a\r\nMcp-Session-Id: b\r\n", "sent twice"),
        (
            "two versions",
            "MCP-Protocol-Version: 2025-11-25\r\nMCP-Protocol-Version: 2025-06-18\r\n",
            "sent twice",
        ),
        ("a session id that is not ASCII", "Mcp-Session-Id: \u{e4}\r\n", "ASCII"),
    ];
    let mut rows: Vec<Row> =
        lines.iter().map(|(name, lines, says)| malformed(*name, post(lines), says)).collect();
    let all_lf = String::from_utf8(post("")).expect("text").replace("\r\n", "\n");
    rows.push(malformed("LF at every line end", all_lf, "LF alone"));
    rows.push(Row::refused("an unknown expectation", post("Expect: cake\r\n"), 417, -32600, "100-continue"));
    rows
}

fn lengths(stage: &Stage) -> Vec<Row> {
    let head = format!("{}{JSON}", stage.head(&format!("POST {PATH}")));
    let chunked = "Transfer-Encoding: chunked\r\n";
    let chunk = "28\r\n{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"ping\"}\r\n0\r\n\r\n";
    [
        ("length and chunks", format!("Content-Length: 5\r\n{chunked}\r\n{chunk}"), "both"),
        ("chunks and length", format!("{chunked}Content-Length: 5\r\n\r\n{chunk}"), "both"),
        (
            "two equal lengths",
            "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}".to_owned(),
            "two Content-Length",
        ),
        ("two lengths", "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x".to_owned(), "two Content-Length"),
        ("a list of lengths", "Content-Length: 2, 2\r\n\r\n{}".to_owned(), "not a number"),
        ("a length with a sign", "Content-Length: +2\r\n\r\n{}".to_owned(), "not a number"),
        ("a negative length", "Content-Length: -2\r\n\r\n{}".to_owned(), "not a number"),
        ("a hexadecimal length", "Content-Length: 0x2\r\n\r\n{}".to_owned(), "not a number"),
        (
            "a length over 64 bits",
            "Content-Length: 99999999999999999999\r\n\r\n{}".to_owned(),
            "not a number",
        ),
        ("chunks twice", format!("{chunked}{chunked}\r\n{chunk}"), "chunked, once"),
        ("compressed chunks", format!("Transfer-Encoding: gzip, chunked\r\n\r\n{chunk}"), "chunked, once"),
        ("an unknown coding", format!("Transfer-Encoding: xchunked\r\n\r\n{chunk}"), "chunked, once"),
        ("the coding identity", "Transfer-Encoding: identity\r\n\r\n{}".to_owned(), "chunked, once"),
        ("chunks that end with LF", format!("{chunked}\r\n2\n{{}}\n0\n\n"), "not framed"),
        ("a chunk size that is none", format!("{chunked}\r\nxyz\r\n"), "not framed"),
        ("a chunk size with a space", format!("{chunked}\r\n2 \r\n{{}}\r\n0\r\n\r\n"), "not framed"),
        ("a chunk size over 64 bits", format!("{chunked}\r\nfffffffffffffffff\r\n"), "not framed"),
        ("a chunk longer than its size", format!("{chunked}\r\n1\r\n{{}}\r\n0\r\n\r\n"), "not framed"),
    ]
    .into_iter()
    .map(|(name, rest, says)| malformed(name, format!("{head}{rest}"), says))
    .collect()
}

fn request_lines(stage: &Stage) -> Vec<Row> {
    let (key, address) = (&stage.key, &stage.address);
    let rest = format!("Host: {address}\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n\r\n");
    let mut rows: Vec<Row> = [
        ("HTTP/0.9", "GET /mcp", "version"),
        ("HTTP/1.2", "GET /mcp HTTP/1.2", "version"),
        ("HTTP/2 in words", "GET /mcp HTTP/2.0", "version"),
        ("two spaces", "GET  /mcp HTTP/1.1", "one space"),
        ("tabs", "GET\t/mcp\tHTTP/1.1", "one space"),
        ("a space first", " GET /mcp HTTP/1.1", "one space"),
        ("a space in the path", "GET /m cp HTTP/1.1", "one space"),
        ("TRACE", "TRACE /mcp HTTP/1.1", "TRACE"),
        ("CONNECT", "CONNECT localhost:80 HTTP/1.1", "CONNECT"),
        ("OPTIONS of everything", "OPTIONS * HTTP/1.1", "no path"),
        ("a path without a slash", "GET mcp HTTP/1.1", "no path"),
        ("a fragment", "GET /mcp#x HTTP/1.1", "percent-encoded"),
        ("a path that is not ASCII", "GET /m\u{e4}cp HTTP/1.1", "percent-encoded"),
        ("a backslash", "GET /servers\\echo\\mcp HTTP/1.1", "percent-encoded"),
        ("another host in the target", "GET http://evil.example/mcp HTTP/1.1", "another host"),
        ("an empty segment", "GET //mcp HTTP/1.1", "empty path segment"),
        ("an encoded slash", "GET /servers/a%2fb/mcp HTTP/1.1", "percent-encoding"),
        ("an encoded NUL", "GET /servers/a%00/mcp HTTP/1.1", "percent-encoding"),
        ("an encoded dot segment", "GET /servers/%2e%2e/mcp HTTP/1.1", "percent-encoding"),
        ("a twice encoded slash", "GET /servers/a%252fb/mcp HTTP/1.1", "percent-encoding"),
        ("a dot segment", "GET /servers/../mcp HTTP/1.1", "dot segment"),
        ("half an escape", "GET /servers/a%2/mcp HTTP/1.1", "percent-encoding"),
    ]
    .into_iter()
    .map(|(name, line, says)| malformed(name, format!("{line}\r\n{rest}"), says))
    .collect();
    rows.push(malformed("the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "version"));
    rows.push(malformed(
        "TLS",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".as_slice(),
        "no request line",
    ));
    let old = format!("POST {PATH} HTTP/1.0\r\nHost: {address}\r\nAuthorization: Bearer {key}\r\n{JSON}");
    let chunked = format!("{old}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    rows.push(malformed("chunks in HTTP/1.0", chunked, "HTTP/1.0"));
    let ping = format!("{old}Content-Length: {}\r\n\r\n{PING}", PING.len());
    rows.push(Row::refused("HTTP/1.0 without a session", ping, 400, -32000, "initialize first").with_id("7"));
    rows
}

fn bounds(stage: &Stage) -> Vec<Row> {
    let post = |line: &str, lines: &str| stage.request(line, &format!("{JSON}{lines}"), PING);
    let line = format!("POST {PATH}");
    vec![
        Row::refused(
            "a long target",
            post(&format!("{line}?{}", "a".repeat(9000)), ""),
            414,
            -31004,
            "uri_bytes",
        ),
        Row::refused(
            "a longer one",
            post(&format!("{line}?{}", "a".repeat(90_000)), ""),
            431,
            -31004,
            "head_bytes",
        ),
        Row::refused("many headers", post(&line, &"A: b\r\n".repeat(65)), 431, -31004, "header_fields"),
        Row::refused(
            "long headers",
            post(&line, &format!("A: {}\r\n", "b".repeat(33_000))),
            431,
            -31004,
            "head_bytes",
        ),
        Row::refused("10 MiB", stage.post(&[], " ".repeat(10 << 20)), 413, -31004, "body_bytes"),
        Row::refused("10 MiB in chunks", in_chunks(stage, 10), 413, -31004, "body_bytes"),
        Row::refused(
            "exabytes",
            format!("{}{JSON}Content-Length: 9999999999999999999\r\n\r\n", stage.head(&line)),
            413,
            -31004,
            "body_bytes",
        ),
    ]
}

/// A body of so many chunks of a mebibyte.
fn in_chunks(stage: &Stage, count: usize) -> Vec<u8> {
    let head = format!("{}{JSON}Transfer-Encoding: chunked\r\n\r\n", stage.head(&format!("POST {PATH}")));
    let chunk = format!("100000\r\n{}\r\n", " ".repeat(1 << 20));
    format!("{head}{}0\r\n\r\n", chunk.repeat(count)).into_bytes()
}
