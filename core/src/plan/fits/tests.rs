//! What fits a schema, and what does not.

use super::*;
use crate::Limits;
use alloc::string::ToString;

const SCHEMA: &str = r##"{"type":"object","properties":{
    "name":{"type":"string","minLength":2,"maxLength":4},
    "count":{"type":"integer","minimum":1,"maximum":10},
    "mode":{"enum":["fast","slow",1]},
    "kind":{"const":"a"},
    "tags":{"type":"array","items":{"type":["string","null"]}},
    "deep":{"type":"object","properties":{"x":{"type":"boolean"}},"required":["x"]},
    "free":{"$ref":"#/x","type":"string"}
},"required":["name"],"additionalProperties":false}"##;

fn check(arguments: &str) -> Vec<String> {
    check_by(SCHEMA, arguments)
}

fn check_by(schema: &str, arguments: &str) -> Vec<String> {
    check_within(schema, arguments, Limits::default().plan_schema_bytes)
}

fn check_within(schema: &str, arguments: &str, mut left: usize) -> Vec<String> {
    let (schema, value) = (Raw::of(schema.as_bytes()), Raw::of(arguments.as_bytes()));
    let faults = super::check(schema, value, &Pointer::default(), &mut left);
    faults.iter().map(|fault| [&fault.at.to_string(), ": ", &fault.problem].concat()).collect()
}

#[test]
fn what_does_not_fit_is_said_with_its_place() {
    for (arguments, fault) in [
        ("{}", ": \"name\" is required"),
        (r#"{"name":1}"#, "/name: string is expected, not number"),
        (r#"{"name":"a"}"#, "/name: at least 2 characters are expected"),
        (r#"{"name":"ééééé"}"#, "/name: at most 4 characters are expected"),
        (r#"{"name":"ab","count":1.5}"#, "/count: integer is expected, not number"),
        (r#"{"name":"ab","count":0}"#, "/count: at least 1 is expected"),
        (r#"{"name":"ab","count":11}"#, "/count: at most 10 is expected"),
        (r#"{"name":"ab","mode":"fats"}"#, "/mode: one of \"fast\", \"slow\", 1 is expected"),
        (r#"{"name":"ab","kind":"b"}"#, "/kind: one of \"a\" is expected"),
        (r#"{"name":"ab","tags":["x",1]}"#, "/tags/1: string or null is expected, not number"),
        (r#"{"name":"ab","deep":{}}"#, "/deep: \"x\" is required"),
        (r#"{"name":"ab","deep":{"x":0}}"#, "/deep/x: boolean is expected, not number"),
        (r#"{"name":"ab","cuont":1}"#, "/cuont: the tool has no argument \"cuont\"; did you mean count?"),
    ] {
        assert_eq!(check(arguments), [fault], "{arguments}");
    }
}

#[test]
fn a_type_that_json_schema_does_not_have_is_for_the_server_to_judge() {
    for kind in [r#""any""#, r#""float""#, r#""int""#, r#"["file","null"]"#] {
        for value in ["1", r#""x""#, "{}", "null"] {
            assert_eq!(check_by(&format!(r#"{{"type":{kind}}}"#), value), [""; 0], "{kind} {value}");
        }
    }
}

#[test]
fn what_fits_or_is_not_known_yet_is_not_refused() {
    for arguments in [
        r#"{"name":"ab","count":3.0,"mode":1.0,"kind":"a","tags":["x",null],"deep":{"x":true,"y":1},"free":1}"#,
        r#"{"name":{"$from":"a"},"count":{"$item":""},"mode":{"$index":true},"tags":{"$from":"a"}}"#,
        r#"{"name":"{{a}} is long","tags":["{{a}}"],"mode":"{{a}}"}"#,
        r#"{"name":{"$literal":"ab"}}"#,
    ] {
        assert_eq!(check(arguments), [""; 0], "{arguments}");
    }
    assert_eq!(check(r#"{"name":{"$literal":1}}"#), ["/name: string is expected, not number"]);
}

const COMPOSED: &str = r##"{"$id":"https://example.org/tool","type":"object","properties":{
    "id":{"anyOf":[{"type":"string","minLength":2},{"type":"integer"},{"type":"null"}]},
    "shape":{"oneOf":[{"$ref":"#/$defs/circle"},{"$ref":"#/$defs/square"}]},
    "both":{"allOf":[{"type":"object","required":["a"]},{"properties":{"b":{"type":"string"}}}]},
    "tree":{"$ref":"#/$defs/node"},
    "list":{"type":"array","minItems":1,"maxItems":2},
    "ratio":{"type":"number","exclusiveMinimum":0,"exclusiveMaximum":1},
    "map":{"type":"object","additionalProperties":{"type":"integer"}},
    "none":false
  },"$defs":{
    "circle":{"type":"object","properties":{"kind":{"const":"circle"},"r":{"type":"number"}},"required":["kind","r"]},
    "square":{"type":"object","properties":{"kind":{"const":"square"},"a":{"type":"number"}},"required":["kind","a"]},
    "node":{"type":"object","properties":{"name":{"type":"string"},"children":{"type":"array","items":{"$ref":"#/$defs/node"}}}}
  }}"##;

#[test]
fn what_fits_none_of_several_is_told_what_each_of_them_wants() {
    for (arguments, fault) in [
        (
            r#"{"id":"a"}"#,
            "/id: at least 2 characters are expected; or integer is expected, not string; or null is expected, not string",
        ),
        (
            r#"{"shape":{"kind":"circle","a":1}}"#,
            r#"/shape: "r" is required; or /shape/kind: one of "square" is expected"#,
        ),
        (r#"{"both":{}}"#, r#"/both: "a" is required"#),
        (r#"{"both":{"a":1,"b":2}}"#, "/both/b: string is expected, not number"),
        (
            r#"{"tree":{"children":[{"name":"x"},{"children":[{"name":1}]}]}}"#,
            "/tree/children/1/children/0/name: string is expected, not number",
        ),
        (r#"{"list":[]}"#, "/list: at least 1 elements are expected"),
        (r#"{"list":[1,2,3]}"#, "/list: at most 2 elements are expected"),
        (r#"{"ratio":0}"#, "/ratio: more than 0 is expected"),
        (r#"{"ratio":1.0}"#, "/ratio: less than 1 is expected"),
        (r#"{"map":{"x":1,"y":"z"}}"#, "/map/y: integer is expected, not string"),
        (r#"{"none":1}"#, "/none: nothing is expected here"),
    ] {
        assert_eq!(check_by(COMPOSED, arguments), [fault], "{arguments}");
    }
    for arguments in [
        r#"{"id":"ab","shape":{"kind":"square","a":2},"both":{"a":null},"list":[1],"ratio":0.5,"map":{"x":1}}"#,
        r#"{"id":null,"shape":{"$from":"a"},"both":{"a":{"$from":"a"},"b":"{{a}}"},"list":{"$from":"a"}}"#,
        r#"{"id":"{{a}}","shape":{"kind":"{{a}}","r":{"$from":"a"}},"list":[{"$from":"a"}],"map":{"x":{"$from":"a"}}}"#,
    ] {
        assert_eq!(check_by(COMPOSED, arguments), [""; 0], "{arguments}");
    }
}

#[test]
fn keywords_that_are_not_judged_make_no_fault_wherever_they_stand() {
    for schema in [
        r#"{"properties":{"x":{"pattern":"^a","format":"date","not":{},"multipleOf":2,"uniqueItems":true}}}"#,
        r#"{"properties":{"x":{"if":{},"then":{"type":"null"},"contains":{"type":"null"},"minProperties":9}}}"#,
        r#"{"properties":{"x":{"$ref":"https://example.org/other#/x"}}}"#,
        r##"{"properties":{"x":{"$ref":"#anchor"}},"$defs":{"a":{"$anchor":"anchor","type":"null"}}}"##,
        r##"{"properties":{"x":{"$ref":"#/$defs/nothing"}}}"##,
        r##"{"properties":{"x":{"$dynamicRef":"#/$defs/a"}},"$defs":{"a":{"type":"null"}}}"##,
        r##"{"properties":{"x":{"$id":"other","$ref":"#/$defs/a"}},"$defs":{"a":{"type":"null"}}}"##,
        r#"{"properties":{"x":{"exclusiveMinimum":true,"minimum":"2","maxLength":-1,"enum":1,"anyOf":[],"type":{}}}}"#,
        r#"{"properties":{"x":{"oneOf":[{"pattern":"^a"},{"pattern":"^b"}]}}}"#,
        r#"{"properties":{"x":{"prefixItems":[{}],"items":{"type":"null"}}}}"#,
        r#"{"patternProperties":{"^x":{}},"additionalProperties":false}"#,
        "true",
    ] {
        for value in ["1", "[1,1]", r#""abc""#] {
            assert_eq!(check_by(schema, &["{\"x\":", value, "}"].concat()), [""; 0], "{schema}");
        }
    }
}

#[test]
fn references_that_lead_round_in_a_circle_come_to_an_end() {
    for schema in [
        r##"{"$ref":"#"}"##,
        r##"{"anyOf":[{"$ref":"#"},{"$ref":"#"}]}"##,
        r##"{"allOf":[{"$ref":"#/$defs/a"}],"$defs":{"a":{"oneOf":[{"$ref":"#/$defs/a"},{"$ref":"#"}]}}}"##,
    ] {
        assert_eq!(check_by(schema, r#"{"x":[1,{"y":2}]}"#), [""; 0], "{schema}");
    }
}

#[test]
fn beyond_the_bytes_that_may_be_read_nothing_is_judged() {
    let schema = r#"{"type":"array","items":{"type":"string"}}"#;
    let left = schema.len() + 2 * r#"{"type":"string"}"#.len();
    assert_eq!(check_within(schema, "[1,2,3]", left).len(), 2);
    assert_eq!(check_within(schema, "[1,2,3]", schema.len() - 1), [""; 0]);
}
