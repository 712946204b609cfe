//! What the scanner accepts, refuses and finds.

use super::*;
use alloc::format;
use alloc::string::String;

fn limits() -> JsonLimits {
    JsonLimits::of_clients(&Limits::default())
}

fn find(text: &str, field: Field) -> Option<&str> {
    let span = scan(text.as_bytes(), limits(), false).unwrap().span(field)?;
    core::str::from_utf8(span.of(text.as_bytes())).ok()
}

fn refusal(text: &str) -> String {
    format!("{}", scan(text.as_bytes(), limits(), false).unwrap_err())
}

#[test]
fn fields_are_found_where_they_belong_and_nowhere_else() {
    let text = r#" {"jsonrpc":"2.0", "id" : 7,"method":"tools/call","params":{"arguments":{"name":"decoy","_meta":
        {"progressToken":"decoy"}},"name":"echo","_meta":{"progressToken":12, "x":{"progressToken":1}}}} "#;
    assert_eq!(find(text, Field::Id), Some("7"));
    assert_eq!(find(text, Field::Name), Some("\"echo\""));
    assert_eq!(find(text, Field::MetaProgressToken), Some("12"));
    assert_eq!(find(text, Field::Result), None);
}

#[test]
fn an_escaped_key_is_the_key_that_it_spells() {
    assert_eq!(find(r#"{"\u0069d":1}"#, Field::Id), Some("1"));
    assert_eq!(
        refusal(r#"{"id":1,"\u0069d":2}"#),
        "the body is not valid JSON: the same key twice in one object"
    );
}

#[test]
fn duplicate_keys_are_refused_at_every_depth_and_number() {
    assert!(refusal(r#"{"params":{"arguments":{"a":1,"a":2}}}"#).contains("same key twice"));
    let many: Vec<String> = (0..40).map(|n| format!("\"k{}\":0", n % 39)).collect();
    assert!(refusal(&format!("{{{}}}", many.join(","))).contains("same key twice"));
    assert_eq!(find(r#"{"params":[{"a":1},{"a":2}],"id":3}"#, Field::Id), Some("3"));
}

#[test]
fn depth_members_nodes_and_digits_are_bounded_by_name() {
    let deep = format!("{}{}", "[".repeat(65), "]".repeat(65));
    assert!(refusal(&deep).contains("limit json_depth reached (64)"));
    let wide = format!("[{}0]", "0,".repeat(10_000));
    assert!(refusal(&wide).contains("limit json_members reached (10000)"));
    let many = format!("[{}0]", format!("[{}0],", "0,".repeat(9_000)).repeat(12));
    assert!(refusal(&many).contains("limit json_nodes reached (100000)"));
    assert!(refusal(&"9".repeat(65)).contains("limit number_digits reached (64)"));
}

#[test]
fn what_rfc_8259_does_not_allow_is_refused() {
    for text in [
        "",
        " ",
        "{",
        "}",
        "[1,]",
        "{\"a\":1,}",
        "{a:1}",
        "{\"a\" 1}",
        "01",
        "1.",
        "-",
        "1e",
        "+1",
        "tru",
        "nul",
        "\"\\x\"",
        "\"\\u12g4\"",
        "\"a\nb\"",
        "\"open",
        "1 2",
        "'a'",
        "[1 2]",
        "NaN",
        "\u{feff}{}",
        "//c\n1",
    ] {
        assert!(scan(text.as_bytes(), limits(), false).is_err(), "{text:?} was accepted");
    }
    assert!(scan(b"\"\xff\"", limits(), false).is_err());
}

#[test]
fn what_rfc_8259_allows_is_accepted() {
    for text in [
        "0",
        "-0.5e+3",
        "\"\\ud800\"",
        "[]",
        "{}",
        "[[],{}]",
        " null ",
        "1e999",
        "\"\u{7f}é😀\"",
        "{\"\":{\"\":0}}",
    ] {
        assert!(scan(text.as_bytes(), limits(), false).is_ok(), "{text:?} was refused");
    }
}

#[test]
fn a_string_ends_at_its_quote_wherever_that_is() {
    for before in 0..200 {
        let plain = "x".repeat(before);
        let text = format!("{{\"params\":{{\"name\":\"{plain}\"}},\"id\":1}}");
        assert_eq!(find(&text, Field::Name), Some(&*format!("\"{plain}\"")), "{before}");
        let escaped = format!("{{\"params\":{{\"name\":\"{plain}\\\"{plain}\"}},\"id\":1}}");
        assert_eq!(find(&escaped, Field::Name), Some(&*format!("\"{plain}\\\"{plain}\"")), "{before}");
        assert!(refusal(&format!("\"{plain}\u{1f}{plain}\"")).contains("a control character"), "{before}");
        assert!(refusal(&format!("\"{plain}")).contains("without an end"), "{before}");
    }
}

#[test]
fn strict_messages_have_no_other_members_and_names_match_exactly() {
    let strict = |text: &str| scan(text.as_bytes(), limits(), true);
    assert!(strict(r#"{"jsonrpc":"2.0","Method":"x"}"#).is_err());
    assert!(strict(r#"{"jsonrpc":"2.0","method":"x","params":{"Any":1}}"#).is_ok());
}
