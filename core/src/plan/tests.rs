//! Plans as clients write them: what is found, where, and what is taken.

use alloc::borrow::{Cow, ToOwned};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::raw::Raw;
use super::{OnError, Plan, Tools, schema, step};
use crate::Limits;

/// Three tools: one that takes anything, one with a schema, and one that may be called twice.
struct Three;

impl Tools for Three {
    fn definition(&self, name: &str) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(match name {
            "a.any" => r#"{"name":"any"}"#,
            "a.typed" => {
                r#"{"name":"typed","inputSchema":{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}}"#
            }
            "a.get" => r#"{"name":"get","annotations":{"readOnlyHint":true}}"#,
            _ => return None,
        }))
    }

    fn names(&self) -> Vec<String> {
        ["a.any", "a.typed", "a.get"].map(ToOwned::to_owned).into()
    }
}

fn read(text: &str) -> Result<Plan, Vec<String>> {
    read_within(text, &Limits::default())
}

fn read_within(text: &str, limits: &Limits) -> Result<Plan, Vec<String>> {
    let faults = |faults: Vec<super::PlanFault>| -> Vec<String> {
        faults.iter().map(|fault| format!("{}: {}", fault.at, fault.problem)).collect()
    };
    Plan::read(text.as_bytes(), &Three, limits).map_err(faults)
}

/// A plan with these members in its only step.
fn step(members: &str) -> String {
    format!(r#"{{"steps":[{{"id":"one","tool":"a.any"{members}}}]}}"#)
}

#[test]
fn what_is_no_step_hides_no_other_fault() {
    let text = r#"{"steps":[7,{"id":"a","tool":"a.ani"},{"id":"b","tool":"a.any","depends_on":["b"]}]}"#;
    let faults = read(text).unwrap_err();
    let places = ["/steps/0: an object is expected", "/steps/2", "/steps/1/tool: there is no tool"];
    assert_eq!(faults.len(), places.len(), "{faults:?}");
    assert!(faults.iter().zip(places).all(|(fault, place)| fault.starts_with(place)), "{faults:?}");
}

#[test]
fn a_whole_number_may_be_written_with_a_point() {
    let plan = |number: &str| read(&format!(r#"{{"max_parallel":{number},{}"#, &step("")[1..]));
    assert_eq!(plan("2.0").map(|plan| plan.max_parallel), Ok(2));
    let expected = ["/max_parallel: a whole number of at least 1 is expected"];
    for number in ["2.5", "-2.0", "0.0", "2e0"] {
        assert_eq!(plan(number).unwrap_err(), expected, "{number}");
    }
}

#[test]
fn dependencies_follow_from_references_wherever_they_stand() {
    let plan = read(
        r#"{"steps":[
            {"id":"a","tool":"a.any"},{"id":"b","tool":"a.any"},{"id":"c","tool":"a.any"},{"id":"d","tool":"a.any"},
            {"id":"e","tool":"a.any","depends_on":["a"],"arguments":{"x":[{"$from":"b"}]},
             "for_each":{"$from":"c","path":"/x"},"when":{"exists":{"$from":"d"}}},
            {"id":"f","tool":"a.any","arguments":{"s":"{{e#/0}}"}}]}"#,
    )
    .unwrap();
    let after: Vec<Vec<usize>> = plan.steps.iter().map(|step| step.after.iter().copied().collect()).collect();
    assert_eq!(after[4], [0, 1, 2, 3]);
    assert_eq!(after[5], [4]);
    assert_eq!(plan.leaves().collect::<Vec<_>>(), [5]);
}

#[test]
fn all_faults_come_back_at_once_each_with_its_place() {
    let faults = read(
        r#"{"stepz":1,"steps":[
            {"id":"a","tool":"a.anny","arguments":{"x":{"$from":"c"}}},
            {"id":"a","tool":"a.typed","arguments":{"n":"x"},"retries":1},
            {"id":"b","tool":"a.any","depends_on":["z"],"arguments":{"y":["{{q#/x}}","{{a#x}}"]}}
        ],"output":{"r":{"$from":"nobody"}}}"#,
    )
    .unwrap_err();
    assert_eq!(
        faults,
        [
            "/stepz: there is no field \"stepz\" here; did you mean steps?",
            "/steps/1/id: /steps/0 has the id \"a\" already",
            "/steps/0/arguments/x: there is no step \"c\"; a value that is not a reference goes into {\"$literal\": ...}",
            "/steps/1/retries: there is no field \"retries\" here; did you mean retry?",
            "/steps/2/arguments/y/0: there is no step \"q\"; a value that is not a reference goes into {\"$literal\": ...}",
            "/steps/2/arguments/y/1: \"x\" is no JSON Pointer: it is empty or begins with /",
            "/steps/2/depends_on/0: there is no step \"z\"",
            "/output/r: there is no step \"nobody\"; a value that is not a reference goes into {\"$literal\": ...}",
            "/steps/0/tool: there is no tool \"a.anny\"; did you mean a.any?",
            "/steps/1/arguments/n: integer is expected, not string",
        ]
    );
}

#[test]
fn a_default_may_be_written_as_it_is() {
    let default = r#"{"k":[{"$literal":"{{x}}"},{"$literal":{"$from":"y"}}]}"#;
    let plan = format!(
        r#"{{"steps":[{{"id":"a","tool":"a.any"}},{{"id":"b","tool":"a.any","arguments":{{"a":{{"$from":"a","default":{default}}}}}}}]}}"#
    );
    let plan = read(&plan).unwrap();
    let reference = plan.steps[1].arguments.references().next().unwrap();
    assert_eq!(reference.default.as_deref(), Some(br#"{"k":["{{x}}",{"$from":"y"}]}"#.as_slice()));
}

#[test]
fn a_tool_without_a_name_is_unknown() {
    let faults = read(r#"{"steps":[{"id":"a","tool":""}]}"#).unwrap_err();
    assert!(faults[0].starts_with("/steps/0/tool: there is no tool \"\""), "{faults:?}");
}

#[test]
fn after_fifty_faults_it_is_said_that_there_are_more() {
    let plan = |bad: usize| {
        let step = |at| format!(r#"{{"id":"s{at}","tool":"a.anny"}}"#);
        format!(r#"{{"steps":[{}]}}"#, (0..bad).map(step).collect::<Vec<_>>().join(","))
    };
    assert_eq!(read(&plan(50)).unwrap_err().len(), 50);
    let faults = read(&plan(70)).unwrap_err();
    assert_eq!(faults.len(), 51);
    assert_eq!(faults[50], ": there are more faults; these are the first 50");
}

#[test]
fn cycles_are_named_step_by_step() {
    let steps = |edges: &[(&str, &str)]| {
        let step =
            |(id, after): &(&str, &str)| format!(r#"{{"id":"{id}","tool":"a.any","depends_on":[{after}]}}"#);
        let steps: Vec<String> = edges.iter().map(step).collect();
        format!(r#"{{"steps":[{}]}}"#, steps.join(","))
    };
    let faults = read(&steps(&[("a", r#""b""#), ("b", r#""c""#), ("c", r#""a""#), ("d", r#""a""#)]));
    assert_eq!(
        faults.unwrap_err(),
        ["/steps/0: a cycle, in which each waits for the next: a -> b -> c -> a"]
    );
    let faults = read(&steps(&[("a", r#""a""#), ("b", ""), ("c", r#""d""#), ("d", r#""c","b""#)]));
    assert_eq!(
        faults.unwrap_err(),
        [
            "/steps/0: a cycle, in which each waits for the next: a -> a",
            "/steps/2: a cycle, in which each waits for the next: c -> d -> c"
        ]
    );
}

#[test]
fn a_field_of_the_wrong_kind_is_said() {
    for (members, fault) in [
        (r#","arguments":[]"#, "/steps/0/arguments: arguments are an object"),
        (r#","depends_on":"a""#, "/steps/0/depends_on: an array of ids is expected"),
        (
            r#","timeout_ms":0"#,
            "/steps/0/timeout_ms: a whole number from 1 to 900000 (limit run_deadline) is expected",
        ),
        (r#","on_error":"stop""#, "/steps/0/on_error: one of fail, skip, continue is expected"),
        (
            r#","retry":{"attempts":9}"#,
            "/steps/0/retry/attempts: a whole number from 1 to 5 (limit step_attempts) is expected",
        ),
        (
            r#","for_each":3"#,
            "/steps/0/for_each: an array or a reference to one is expected, or {\"in\": ..., \"width\": ...}",
        ),
        (
            r#","for_each":{"in":[1],"width":0}"#,
            "/steps/0/for_each/width: a whole number of at least 1 is expected",
        ),
        (
            r#","arguments":{"a":{"$item":""}}"#,
            "/steps/0/arguments/a: item and index are there in a step with for_each alone",
        ),
        (
            r#","arguments":{"a":"{{one"}"#,
            "/steps/0/arguments/a: a template without its end; a value that is not a reference goes into {\"$literal\": ...}",
        ),
        (
            r#","for_each":[1],"arguments":{"a":{"$item":"","default":["{{index}}"]}}"#,
            "/steps/0/arguments/a/default: a default holds no reference; a value that is not a reference goes into {\"$literal\": ...}",
        ),
        (
            r#","for_each":[1],"arguments":{"a":{"$item":"","default":{"$from":"c"}}}"#,
            "/steps/0/arguments/a/default: there is no step \"c\"; a value that is not a reference goes into {\"$literal\": ...}",
        ),
        (
            r#","when":{"exist":{"$literal":1}}"#,
            "/steps/0/when/exist: there is no condition \"exist\"; did you mean exists?",
        ),
        (r#","when":{"equals":[1]}"#, "/steps/0/when/equals: two values are compared: an array of two"),
    ] {
        assert_eq!(read(&step(members)).unwrap_err(), [fault], "{members}");
    }
    assert_eq!(read("[]").unwrap_err(), [": an object is expected, not array"]);
    assert_eq!(
        read("{}").unwrap_err(),
        [": the field \"steps\" is missing (or \"goal\": in words what is to be achieved)"]
    );
    assert_eq!(
        read(r#"{"steps":[{"id":"a","tool":"batch_execute"}]}"#).unwrap_err(),
        ["/steps/0/tool: batch_execute cannot be a step of a plan"]
    );
}

#[test]
fn a_limit_that_is_reached_is_named() {
    let limits = Limits { plan_steps: 2, plan_depth: 1, plan_parallel: 4, run_calls: 3, ..Limits::default() };
    let chain = r#"{"steps":[{"id":"a","tool":"a.any"},{"id":"b","tool":"a.any","depends_on":["a"]}]}"#;
    let three = r#"{"steps":[{"id":"a"},{"id":"b"},{"id":"c"}]}"#;
    let wide = r#"{"max_parallel":5,"steps":[{"id":"a","tool":"a.any","for_each":[1,2,3,4]}]}"#;
    for (plan, expected) in [
        (three, &["/steps: limit plan_steps reached (2)"][..]),
        (chain, &["/steps: limit plan_depth reached (1)"]),
        (wide, &["/max_parallel: limit plan_parallel reached (4)", "/steps: limit run_calls reached (3)"]),
    ] {
        assert_eq!(read_within(plan, &limits).unwrap_err(), expected, "{plan}");
    }
    let short = Limits { plan_bytes: 10, ..Limits::default() };
    assert_eq!(read_within(chain, &short).unwrap_err(), [": limit plan_bytes reached (10)"]);
}

#[test]
fn how_a_plan_is_answered_takes_nothing_of_its_length() {
    let plan = step("");
    let limits = Limits { plan_bytes: plan.len(), ..Limits::default() };
    let with = |members: &str| plan.replacen('{', &format!("{{{members},"), 1);
    for said in [r#""background":true"#, r#""dry_run":false"#, r#""dry_run":true,"background":true"#] {
        assert!(read_within(&with(said), &limits).is_ok(), "{said}");
    }
    let long = format!(r#""background":"{}""#, "x".repeat(20));
    for said in [r#""max_parallel":1"#, r#""max_parallel":1,"background":true"#, &long] {
        let reached = format!(": limit plan_bytes reached ({})", plan.len());
        assert_eq!(read_within(&with(said), &limits).unwrap_err(), [reached], "{said}");
    }
}

#[test]
fn what_is_absent_has_its_default() {
    let plan = read(&step("")).unwrap();
    let limits = Limits::default();
    assert_eq!((plan.max_parallel, plan.deadline), (step::PARALLEL, limits.run_deadline));
    let [only] = plan.steps.as_slice() else { panic!() };
    assert_eq!((only.on_error, only.retry.attempts, only.repeatable), (OnError::Fail, 1, false));
    let plan = read(r#"{"steps":[{"id":"a","tool":"a.get","retry":{"attempts":2}}]}"#).unwrap();
    assert!(plan.steps[0].repeatable && plan.steps[0].retry.attempts == 2);
}

#[test]
fn an_outline_says_phases_order_width_and_the_longest_chain() {
    let plan = read(
        r#"{"max_parallel":3,"steps":[
            {"id":"a","tool":"a.any"},{"id":"b","tool":"a.any","for_each":[1,2,3,4]},
            {"id":"c","tool":"a.any","depends_on":["a"]},
            {"id":"d","tool":"a.any","for_each":{"in":{"$from":"c"},"width":2}},
            {"id":"e","tool":"a.any","depends_on":["b","d"]}]}"#,
    )
    .unwrap();
    let outline = plan.outline();
    let phases: Vec<(String, usize)> =
        outline.phases.iter().map(|phase| (phase.steps.join(","), phase.width)).collect();
    let expected = [("a,b", 3), ("c", 1), ("d", 2), ("e", 1)].map(|(ids, width)| (ids.to_owned(), width));
    assert_eq!(phases, expected);
    assert_eq!(outline.critical_path, ["a", "c", "d", "e"]);
    assert_eq!((outline.calls, outline.more_calls, outline.width), (7, true, 3));
}

fn at<'a>(schema: Raw<'a>, path: &str) -> Raw<'a> {
    path.split('/').skip(1).fold(schema, |value, name| value.member(name).expect(path))
}

/// The names of the properties of a part of the schema.
fn properties<'a>(schema: Raw<'a>, path: &str) -> Vec<Cow<'a, str>> {
    at(schema, path).member("properties").unwrap().members().into_iter().map(|(name, _)| name).collect()
}

#[test]
fn the_schema_and_the_parser_agree_property_by_property() {
    let text = schema::input_schema(&Limits::default());
    let schema = Raw::of(text.as_bytes());
    assert_eq!(properties(schema, ""), [&["goal"][..], &step::PLAN_FIELDS].concat());
    assert_eq!(properties(schema, "/properties/steps/items"), step::STEP_FIELDS);
    assert_eq!(properties(schema, "/properties/steps/items/properties/retry"), step::RETRY_FIELDS);
    let at = |path| at(schema, path);
    let on_error = at("/properties/steps/items/properties/on_error/enum").elements();
    assert!(on_error.iter().map(|word| word.text().unwrap()).eq(step::ON_ERROR));
    let words = at("/properties/steps/items/properties/when/description").text().unwrap();
    let said = super::condition::WORDS.iter().all(|word| words.contains(word));
    assert!(said, "a condition that no model is told of");
    let step = at("/properties/steps/items/properties/for_each/description").text().unwrap();
    assert!(step::FOR_EACH_FIELDS.iter().all(|field| step.contains(&format!("\"{field}\""))));
}

#[test]
fn the_schema_has_the_bounds_of_this_hub() {
    let other = Limits {
        plan_steps: 3,
        plan_parallel: 2,
        step_attempts: 7,
        run_deadline: Duration::from_secs(5),
        ..Limits::default()
    };
    for (limits, parallel) in [(Limits::default(), step::PARALLEL), (other, 2)] {
        let text = schema::input_schema(&limits);
        let at = |path| at(Raw::of(text.as_bytes()), path);
        assert_eq!(at("/properties/steps/maxItems").whole(), Some(limits.plan_steps as u64));
        let attempts = at("/properties/steps/items/properties/retry/properties/attempts/maximum");
        assert_eq!(attempts.whole(), Some(u64::from(limits.step_attempts)));
        let millis = u64::try_from(limits.run_deadline.as_millis()).ok();
        for (place, most) in [
            ("/properties/max_parallel", Some(limits.plan_parallel as u64)),
            ("/properties/deadline_ms", millis),
            ("/properties/steps/items/properties/timeout_ms", millis),
        ] {
            assert_eq!(at(place).member("maximum").and_then(Raw::whole), most, "{place}");
        }
        let words = at("/properties/max_parallel/description").text().unwrap();
        assert!(words.contains(&format!("(default {parallel})")), "{words}");
        assert!(!text.contains(['<', '>']), "a bound that is not there: {text}");
    }
}

/// Tools of any name that take anything.
struct Anything;

impl Tools for Anything {
    fn definition(&self, _: &str) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed("{}"))
    }

    fn names(&self) -> Vec<String> {
        Vec::new()
    }
}

#[test]
fn the_examples_of_the_schema_are_good_plans() {
    let text = schema::input_schema(&Limits::default());
    let examples = Raw::of(text.as_bytes()).member("examples").unwrap().elements();
    assert_eq!(examples.len(), 2);
    for example in examples {
        let plan = Plan::read(example.0, &Anything, &Limits::default());
        assert!(plan.is_ok(), "{} {plan:?}", example.spelling());
    }
    assert!(schema::TOOLS.contains(&"batch_execute"));
}
