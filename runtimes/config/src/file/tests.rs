//! What is read, what is refused and where, and what is written back.

use super::*;
use orch_core::record::{RemoteKind, Transport};
use std::fmt::Write as _;

fn parse(text: &str) -> Result<ConfigFile, Vec<Finding>> {
    ConfigFile::parse("mcp-config.json", text, &Limits::default())
}

/// The specification of the one server whose members these are.
fn spec(members: &str) -> ServerSpec {
    let file = parse(&format!("{{\"mcpServers\": {{\"s\": {{{members}}}}}}}")).unwrap();
    file.servers.into_values().next().unwrap()
}

fn lines(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(ToString::to_string).collect()
}

#[track_caller]
fn refuses(text: &str, expected: &[&str]) {
    let expected: Vec<String> = expected.iter().map(|it| format!("mcp-config.json:{it}")).collect();
    assert_eq!(lines(&parse(text).unwrap_err()), expected, "{text}");
}

/// Columns count from the first of `members`.
#[track_caller]
fn refuses_entry(members: &str, expected: &[&str]) {
    refuses(&format!("{{\"mcpServers\": {{\"s\": {{\n{members}}}}}}}"), expected);
}

#[track_caller]
fn warns_of(members: &str, expected: &str) {
    let file = parse(&format!("{{\"mcpServers\": {{\"s\": {{\n{members}}}}}}}")).unwrap();
    assert_eq!(lines(&file.warnings), [format!("mcp-config.json:{expected}")]);
}

fn kind(members: &str) -> RemoteKind {
    match spec(members).transport {
        Transport::Remote { kind, .. } => kind,
        Transport::Stdio { .. } => panic!("{members} is stdio"),
    }
}

#[test]
fn an_entry_with_a_command_alone_has_the_defaults() {
    let expected = ServerSpec::new(Transport::Stdio {
        command: "npx".into(),
        args: vec![],
        env: BTreeMap::new(),
        cwd: None,
    });
    assert_eq!(spec(r#""command": "npx""#), expected);
}

#[test]
fn every_field_of_a_stdio_server_is_read() {
    let read = spec(
        r#""command": "npx", "args": ["-y", "${PKG}"], "env": {"TOKEN": "${GITHUB_TOKEN}"}, "cwd": "/srv",
        "disabled": true, "timeout": 60, "autoApprove": ["search"], "transportType": "stdio""#,
    );
    let expected = ServerSpec {
        disabled: true,
        timeout_s: 60,
        auto_approve: vec!["search".into()],
        ..ServerSpec::new(Transport::Stdio {
            command: "npx".into(),
            args: vec!["-y".into(), "${PKG}".into()],
            env: BTreeMap::from([("TOKEN".into(), "${GITHUB_TOKEN}".into())]),
            cwd: Some("/srv".into()),
        })
    };
    assert_eq!(read, expected);
}

#[test]
fn a_url_alone_means_streamable_http() {
    assert_eq!(kind(r#""url": "https://x.test/mcp""#), RemoteKind::Http);
}

#[test]
fn every_spelling_of_the_transport_is_read() {
    for field in ["type", "transport", "transportType"] {
        for word in ["streamable-http", "streamableHttp", "streamable_http", "http", "HTTP"] {
            assert_eq!(kind(&format!(r#""{field}": "{word}", "url": "http://x""#)), RemoteKind::Http);
        }
        assert_eq!(kind(&format!(r#""{field}": "sse", "url": "http://x""#)), RemoteKind::Sse);
        spec(&format!(r#""{field}": "stdio", "command": "c""#));
    }
}

#[test]
fn the_config_shapes_that_clients_use_are_read() {
    for members in [
        r#""transport": "sse", "url": "http://h/p/sse", "headers": {"Authorization": "Bearer k"}"#,
        r#""transport": "sse", "url": "http://localhost:8000/sse/github""#,
        r#""disabled": false, "timeout": 60, "type": "sse", "url": "http://h/sse",
           "headers": {"Authorization": "Bearer k", "Content-Type": "application/json"}"#,
        r#""disabled": false, "timeout": 30, "url": "${API_URL}/servers/x/sse", "transportType": "sse",
           "headers": {"Authorization": "Bearer ${userApiKey}"}"#,
    ] {
        assert_eq!(kind(members), RemoteKind::Sse, "{members}");
    }
    assert_eq!(kind(r#""timeout": 60, "type": "streamable-http", "url": "http://h/mcp""#), RemoteKind::Http);
}

#[test]
fn environment_values_may_be_written_without_quotes() {
    let read = spec(r#""command": "c", "env": {"A": "1", "B": 2.50, "C": true, "D": 123456789012345678901}"#);
    let Transport::Stdio { env, .. } = read.transport else { panic!() };
    let values: Vec<&str> = env.values().map(String::as_str).collect();
    assert_eq!(values, ["1", "2.50", "true", "123456789012345678901"]);
}

#[test]
fn always_allow_is_auto_approve() {
    assert_eq!(spec(r#""command": "c", "alwaysAllow": ["a"]"#).auto_approve, ["a"]);
    assert_eq!(spec(r#""command": "c", "alwaysAllow": ["a"], "autoApprove": ["a"]"#).auto_approve, ["a"]);
}

#[test]
fn comments_trailing_commas_and_a_byte_order_mark_are_tolerated() {
    let text = "\u{feff}// mine\n{ /* all */ \"mcpServers\": {\"a\": {\"command\": \"c\", \"args\": [\"x\",],},},}\r\n";
    assert_eq!(parse(text).unwrap().servers.keys().collect::<Vec<_>>(), ["a"]);
    refuses("\u{feff}{,}", &["1:2: not JSON: unexpected token in object"]);
}

#[test]
fn the_servers_map_of_vs_code_is_read() {
    let file = parse(r#"{"inputs": [], "servers": {"a": {"type": "http", "url": "https://x"}}}"#).unwrap();
    assert_eq!(file.servers.len(), 1);
    assert_eq!(file.unknown, BTreeMap::from([("inputs".into(), "[]".into())]));
}

#[test]
fn what_is_unknown_is_kept_as_it_was() {
    let unknown =
        spec("\"command\": \"c\", \"x\": { // why\n \"n\": 1.50e400, \"s\": [\"\\u00e9\\n\", null,] }")
            .unknown;
    assert_eq!(unknown, BTreeMap::from([("x".into(), r#"{"n":1.50e400,"s":["é\n",null]}"#.into())]));
}

#[test]
fn text_that_is_not_json_is_refused_with_its_place() {
    refuses("", &["1:1: expected an object, found nothing: the file is empty"]);
    refuses("[]", &["1:1: expected an object, found an array"]);
    refuses("{\n  \"mcpServers\": {} \"x\": 1}", &["2:19: not JSON: expected comma"]);
    refuses("{a: 1}", &["1:2: not JSON: expected string for object property"]);
    refuses("{'a': 1}", &["1:2: not JSON: single-quoted strings are not allowed"]);
    let string = "not JSON: a string that does not end, or holds an escape that JSON does not have";
    refuses("{\"é\": \"s3cret\n", &[&format!("1:7: {string}")]);
    refuses("{\"é\": \"s3\\cret\"}", &[&format!("1:10: {string}")]);
    refuses(&"[".repeat(10_000), &["1:513: not JSON: maximum nesting depth exceeded"]);
}

#[test]
fn a_file_without_servers_is_refused_with_a_hint() {
    refuses("{}", &["1:1: expected \"mcpServers\", an object of servers by name"]);
    refuses(
        "{\"mcp_servers\": {}}",
        &[
            "1:1: expected \"mcpServers\", an object of servers by name",
            "1:2: \"mcp_servers\" is not a field; did you mean `mcpServers`?",
        ],
    );
    refuses(
        "{\"mcpServers\": 1}",
        &["1:16: \"mcpServers\" must be an object of servers by name, found a number"],
    );
    let twice = "\"mcpServers\" and \"servers\" are one field: expected it once";
    refuses("{\"mcpServers\": {}, \"servers\": {}}", &[&format!("1:20: {twice}")]);
}

#[test]
fn a_value_of_the_wrong_kind_is_refused_where_it_stands() {
    refuses_entry("\"command\": 1", &["2:12: \"command\" must be a string, found a number"]);
    refuses_entry("\"command\": \"\"", &["2:12: \"command\" must be a string, found an empty one"]);
    refuses_entry(
        "\"command\": \"a\\u0000\"",
        &["2:12: \"command\" must be a string, found one with a NUL character"],
    );
    for (members, message) in [
        ("\"args\": 5", "1: \"args\" must be an array of strings, found a number"),
        ("\"args\": [\"a\", 5]", "7: \"args\" must be an array of strings, found a number"),
        ("\"env\": []", "0: \"env\" must be an object of strings by variable name, found an array"),
        ("\"env\": {\"A\": null}", "6: \"env\" must be an object of strings by variable name, found null"),
        (
            "\"env\": {\"A=B\": \"\"}",
            "1: \"env\" must be an object of strings by variable name, found another name",
        ),
        ("\"cwd\": {}", "0: \"cwd\" must be a string, found an object"),
        ("\"disabled\": \"no\"", "5: \"disabled\" must be true or false, found a string"),
        (
            "\"timeout\": \"9\"",
            "4: \"timeout\" must be a whole number of seconds from 1 to 3600, found a string",
        ),
        ("\"timeout\": 0", "4: \"timeout\" must be a whole number of seconds from 1 to 3600, found 0"),
        ("\"timeout\": 3601", "4: \"timeout\" must be a whole number of seconds from 1 to 3600, found 3601"),
        ("\"timeout\": 1.5", "4: \"timeout\" must be a whole number of seconds from 1 to 3600, found 1.5"),
        ("\"autoApprove\": true", "8: \"autoApprove\" must be an array of strings, found a boolean"),
        (
            "\"type\": \"tcp\"",
            "1: \"type\" must be \"stdio\", \"sse\" or \"streamable-http\", found another string",
        ),
    ] {
        let (column, message) = message.split_once(": ").unwrap();
        let column = column.parse::<usize>().unwrap() + 24;
        refuses_entry(&format!("\"command\": \"c\", {members}"), &[&format!("2:{column}: {message}")]);
    }
}

#[test]
fn a_remote_server_needs_a_url_and_headers_that_can_be_sent() {
    let url = "\"url\" must be a URL that begins with http:// or https://, found another string";
    for bad in ["", "ftp://x", "http://", "https://x y", "x"] {
        refuses_entry(&format!("\"url\": \"{bad}\""), &[&format!("2:8: {url}")]);
    }
    spec(r#""url": "${BASE}/mcp""#);
    let headers = "\"headers\" must be an object of strings by header name, found";
    let entry = |headers: &str| format!("\"url\": \"http://x\", \"headers\": {headers}");
    refuses_entry(&entry("{\"A B\": \"\"}"), &[&format!("2:32: {headers} another name")]);
    refuses_entry(
        &entry("{\"A\": \"x\\ny\"}"),
        &[&format!("2:31: {headers} a value with a control character")],
    );
}

#[test]
fn entries_that_contradict_themselves_are_refused() {
    refuses_entry(
        "\"command\": \"c\", \"url\": \"http://x\"",
        &["2:17: \"url\" contradicts \"command\": expected one of them"],
    );
    refuses_entry(
        "\"command\": \"c\", \"type\": \"sse\"",
        &["2:1: \"command\" contradicts the transport: a remote server has a \"url\""],
    );
    refuses_entry(
        "\"url\": \"http://x\", \"type\": \"stdio\"",
        &["2:1: \"url\" contradicts the transport: a stdio server has a \"command\""],
    );
    refuses_entry(
        "",
        &["1:17: a server needs \"command\" (started here) or \"url\" (remote), found neither"],
    );
    refuses_entry(
        "\"url\": \"http://x\", \"type\": \"sse\", \"transport\": \"http\"",
        &["2:35: \"transport\" contradicts \"type\": they are two names of one field"],
    );
}

#[test]
fn a_name_that_is_there_twice_is_refused_at_any_depth() {
    refuses(
        "{\"mcpServers\": {\"a\": {\"command\": \"c\", \"x\": [{\"n\": 1, \"n\": 2}]},\n\"a\": {\"command\": \"d\"}}}",
        &["1:54: \"n\" is there twice in one object", "2:1: \"a\" is there twice in one object"],
    );
}

#[test]
fn server_names_are_checked() {
    let long = "a".repeat(65);
    for bad in ["", "a b", "ä", "a/b", &long] {
        let shown = if bad == long { format!("{}…", "a".repeat(64)) } else { bad.to_owned() };
        let message = format!("1:17: server name \"{shown}\": expected 1 to 64 of A-Z a-z 0-9 _ . -");
        refuses(&format!("{{\"mcpServers\": {{\"{bad}\": {{\"command\": \"c\"}}}}}}"), &[&message]);
    }
    refuses(
        r#"{"mcpServers": {"..": {"command": "c"}, "hub": {"command": "c"}, "Hub.1_-": {"command": "c"}, "b": 1}}"#,
        &[
            "1:17: server name \"..\": expected more than dots, which mean a directory in a URL",
            "1:41: server name \"hub\": the hub's own server has this name; expected another",
            "1:100: server \"b\" must be an object, found a number",
        ],
    );
}

#[test]
fn all_errors_come_at_once_in_the_order_of_the_file() {
    refuses(
        "{\"mcpServers\": {\n\"a\": {\"command\": 1, \"args\": 2},\n\"b\": {\"url\": 3},\n\"c\": {\"command\": \"ok\"}}}",
        &[
            "2:18: \"command\" must be a string, found a number",
            "2:29: \"args\" must be an array of strings, found a number",
            "3:14: \"url\" must be a URL that begins with http:// or https://, found a number",
        ],
    );
    refuses_entry(
        "\"comand\": \"c\", \"args\": 1, \"headers\": 2",
        &[
            "1:17: a server needs \"command\" (started here) or \"url\" (remote), found neither",
            "2:1: \"comand\" is not a field; did you mean `command`?",
            "2:24: \"args\" must be an array of strings, found a number",
            "2:38: \"headers\" must be an object of strings by header name, found a number",
        ],
    );
}

#[test]
fn more_servers_than_the_limit_are_refused_by_its_name() {
    let mut text = String::from("{\"mcpServers\": {");
    for n in 0..201 {
        write!(text, "\"s{n}\": {{\"command\": \"c\"}},").unwrap();
    }
    text.push_str("}}");
    refuses(&text, &["1:16: expected at most 200 servers (project_servers), found 201"]);
}

#[test]
fn slips_of_the_pen_are_hinted_at_and_kept() {
    warns_of("\"command\": \"c\", \"arg\": []", "2:17: \"arg\" is not a field; did you mean `args`?");
    warns_of("\"command\": \"c\", \"comand\": 1", "2:17: \"comand\" is not a field; did you mean `command`?");
    warns_of(
        "\"command\": \"c\", \"auto_approve\": 1",
        "2:17: \"auto_approve\" is not a field; did you mean `autoApprove`?",
    );
    warns_of("\"url\": \"http://x\", \"auth\": {}", "2:20: \"auth\" is not a field; did you mean `oauth`?");
    warns_of("\"command\": \"c\", \"ENV\": {}", "2:17: \"ENV\" is not a field; did you mean `env`?");
    warns_of(
        "\"url\": \"http://x\", \"env\": {}",
        "2:20: \"env\" means nothing for a remote server; it is kept",
    );
    warns_of(
        "\"command\": \"c\", \"headers\": {}",
        "2:17: \"headers\" means nothing for a server that is started here; it is kept",
    );
    let quiet =
        parse(r#"{"mcpServers": {"s": {"command": "c", "icon": "x", "name": "n", "tags": 1, "dev": 2}}}"#);
    assert_eq!(quiet.unwrap().warnings, []);
}

#[test]
fn one_spelling_is_written_and_defaults_are_left_out() {
    assert_eq!(
        write(&spec(r#""command": "npx", "timeout": 30, "args": []"#)),
        "{\n  \"command\": \"npx\"\n}"
    );
    let remote =
        r#""transportType": "http", "url": "http://x", "alwaysAllow": ["a"], "x": {"y": 1.0}, "timeout": 9"#;
    let expected = r#"{
  "type": "streamable-http",
  "url": "http://x",
  "timeout": 9,
  "autoApprove": [
    "a"
  ],
  "x": {"y":1.0}
}"#;
    assert_eq!(write(&spec(remote)), expected);
}

#[test]
fn a_whole_file_reads_back_as_it_was_written() {
    let text = r#"{"inputs": [1], "servers": {"a": {"command": "c", "env": {"A": "1"}, "x": [1.0]}, "b": {"url": "http://b"}}}"#;
    let file = parse(text).unwrap();
    assert_eq!(parse(&file.write()).unwrap(), file);
}

#[test]
fn a_file_that_cannot_be_read_says_why() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("c.json");
    let message = |limits: &Limits| ConfigFile::load(&path, limits).unwrap_err().remove(0).message;
    assert!(message(&Limits::default()).starts_with("cannot be read: No such file"));
    std::fs::write(&path, b"\xff\xfe{\0").unwrap();
    assert_eq!(message(&Limits::default()), "expected UTF-8 text, found other bytes");
    let small = Limits { body_bytes: 3, ..Limits::default() };
    assert_eq!(message(&small), "expected at most 3 bytes (body_bytes), found more");
}

#[test]
fn the_number_of_findings_is_bounded() {
    let text = format!("{{\"mcpServers\": {{{}}}}}", "\"a\": 1,".repeat(1000));
    assert_eq!(parse(&text).unwrap_err().len(), 100);
}
