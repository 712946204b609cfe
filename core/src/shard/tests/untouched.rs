//! What the hub does not know, it does not change: every odd thing passes byte for byte, in both directions, between clients
//! and servers of every era.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::clients::{ERAS, Era, HTTP, at};
use super::script::Script;
use super::world::World;
use crate::Limits;
use crate::ports::gateway::{Target, Verb};
use crate::rpc::Field;

/// Values that a parser and a writer would spell in another way, or lose.
const VALUES: [&str; 10] = [
    "null",
    "true",
    "-0.0",
    "1e400",
    "12345678901234567890123456789.000000000000000001",
    r#""\u0061\/\ud83d\ude00 \ud800""#,
    "[ ]",
    r#"[1, {"a" : 1.0}]"#,
    r#"{"b":1, "a":{"uri":"x"}, "":2}"#,
    "9007199254740993",
];

const ICONS: &str = r#""icons":[{"src":"data:,","sizes":["any"],"theme":"dark","x":1e2}]"#;
const ANNOTATIONS: &str = r#""annotations":{"audience":["user"],"priority":1.0,"lastModified":"x","y":null}"#;

/// A server of either era.
fn servers() -> [Script; 2] {
    [Script::full(&["x:1"], &[]), Script::modern()]
}

fn world(script: Script) -> World {
    World::scripted(Limits::default(), [("a", script)]).surveyed()
}

fn targets() -> [(Target, &'static str); 2] {
    [(at("a"), ""), (Target::Unified, "a__")]
}

/// Whether every member is in the text as it was written.
#[track_caller]
fn assert_has(text: &str, members: &[String]) {
    for member in members {
        assert!(text.contains(member.as_str()), "{member}\nis not in\n{text}");
    }
}

fn content() -> String {
    format!(
        r#""content":[{{"type":"text","text":"a",{ANNOTATIONS},"_meta":{{"k":1e400}}}},{{"type":"later", "x":[ ]}},{{"type":"resource_link","uri":"x:1","name":"n","size":1e3,{ICONS}}},{{"type":"audio","data":"","mimeType":"m","z":0.10}}]"#
    )
}

#[test]
fn the_result_of_a_call_passes_with_every_odd_thing_in_it() {
    for script in servers() {
        let mut world = world(script);
        for era in ERAS {
            for (target, prefix) in targets() {
                let client = world.client(era, target);
                for value in VALUES {
                    let exchange =
                        world.request(&client, "1", "tools/call", &format!(r#""name":"{prefix}echo""#));
                    let sent = world.requested("a");
                    let members = [
                        content(),
                        format!(r#""structuredContent":{{"v":{value}}}"#),
                        format!(r#""x-later":{value}"#),
                    ];
                    let meta = format!(r#""vendor/m":{value}"#);
                    let own = format!(r#"{},"isError":false,"_meta":{{{meta}}}"#, members.join(","));
                    world.reply(&sent, &format!(r#"{{"resultType":"complete",{own}}}"#));
                    let answer = world.answer(&client, exchange);
                    let result = answer.raw_str(Field::Result).unwrap();
                    assert_has(result, &members);
                    assert_has(result, &[meta]);
                }
            }
        }
    }
}

#[test]
fn what_is_structured_and_no_object_is_a_text_for_the_eras_that_do_not_have_it() {
    let capabilities = r#"{"tools":{}}"#.to_owned();
    let mut world = world(Script { lists: false, news: false, capabilities, ..Script::modern() });
    let input = r#""inputSchema":{"type":"object"}"#;
    let tool =
        |prefix: &str, schema: &str| format!(r#"{{"name":"{prefix}echo",{input}{schema},"x":[1e400]}}"#);
    let schema = r#","outputSchema":{"type":"array"}"#;
    let mut asked = world.requests("a");
    asked.retain(|asked| asked.method == "tools/list");
    world.reply(&asked[0], &format!(r#"{{"tools":[{}]}}"#, tool("", schema)));
    for era in ERAS {
        let modern = era == Era::Modern;
        for (target, prefix) in targets() {
            let client = world.client(era, target);
            let exchange = world.request(&client, "1", "tools/list", "");
            let tools = world.answer(&client, exchange);
            let tools = tools.raw_str(Field::Tools).unwrap();
            let expected = tool(prefix, if modern { schema } else { "" });
            assert!(tools.contains(&expected), "{tools}");
            let exchange = world.request(&client, "2", "tools/call", &format!(r#""name":"{prefix}echo""#));
            let sent = world.requested("a");
            world.reply(&sent, r#"{"resultType":"complete","content":[],"structuredContent":[1e400]}"#);
            let answer = world.answer(&client, exchange);
            let result = answer.raw_str(Field::Result).unwrap();
            assert_eq!(result.contains(r#""content":[],"structuredContent":[1e400]"#), modern, "{result}");
            assert_eq!(result == r#"{"content":[{"type":"text","text":"[1e400]"}]}"#, !modern, "{result}");
        }
    }
}

#[test]
fn a_result_of_the_client_s_own_era_is_not_touched_at_all() {
    let result = format!(r#"{{ {} , "structuredContent" :{} }}"#, content(), VALUES[8]);
    let mut world = world(Script::default());
    let client = world.client(HTTP, Target::Unified);
    let exchange = world.call(&client, "1");
    let sent = world.requested("a");
    world.reply(&sent, &result);
    assert_eq!(world.answer(&client, exchange).raw_str(Field::Result), Some(&*result));
}

#[test]
fn what_a_client_says_passes_with_every_odd_thing_in_it() {
    for script in servers() {
        let mut world = world(script);
        for era in ERAS {
            for (target, prefix) in targets() {
                let client = world.client(era, target);
                for value in VALUES {
                    let members =
                        [format!(r#""arguments":{{"v":{value}}}"#), format!(r#""x-later":{value}"#)];
                    let params = format!(r#""name":"{prefix}echo",{}"#, members.join(","));
                    let meta = format!(r#""vendor/m":{value}"#);
                    world.post(&client, &client.write("1", "tools/call", &params, &meta));
                    let sent = world.requested("a").params;
                    assert_has(&sent, &members);
                    assert_has(&sent, &[meta]);
                }
            }
        }
    }
}

#[test]
fn an_entry_of_a_list_passes_with_every_odd_thing_in_it() {
    let rest_of = |colon: &str| {
        let values = VALUES.iter().enumerate().map(|(n, value)| format!(r#""x{n}"{colon}{value}"#));
        let values: Vec<String> = values.collect();
        format!(
            r#""title":"T",{ICONS},{ANNOTATIONS},"inputSchema":{{"$schema":"s","type":"object","properties":{{"name":{{"const":"echo"}}}}}},"outputSchema":{{"type":"object","anyOf":[true,{{"minimum":-0.0}}]}},"_meta":{{"name":"echo"}},{}"#,
            values.join(",")
        )
    };
    let execution = r#""execution":{"taskSupport":"optional"},"#;
    for script in servers() {
        let capabilities = r#"{"tools":{}}"#.to_owned();
        let mut world = world(Script { lists: false, capabilities, ..script });
        let asked = world.requested("a");
        world.reply(&asked, &format!(r#"{{"tools":[{{"name":"echo",{execution}{}}}]}}"#, rest_of(" : ")));
        for era in ERAS {
            for (target, prefix) in targets() {
                let client = world.client(era, target);
                let exchange = world.request(&client, "1", "tools/list", "");
                let answer = world.answer(&client, exchange);
                // Behind the unified endpoint no call can be a task.
                let unified = client.target == Target::Unified;
                let (execution, rest) =
                    if unified { ("", rest_of(":")) } else { (execution, rest_of(" : ")) };
                assert_has(
                    answer.raw_str(Field::Tools).unwrap(),
                    &[format!(r#"{{"name":"{prefix}echo",{execution}{rest}}}"#)],
                );
            }
        }
    }
}

#[test]
fn a_prompt_passes_with_every_odd_thing_in_it() {
    for script in servers() {
        let mut world = world(script);
        for era in ERAS {
            for (target, prefix) in targets() {
                let client = world.client(era, target);
                let exchange =
                    world.request(&client, "1", "prompts/get", &format!(r#""name":"{prefix}greet""#));
                let sent = world.requested("a");
                let members = VALUES.iter().enumerate().map(|(n, value)| format!(r#""x{n}":{value}"#));
                let mut members: Vec<String> = members.collect();
                members.push(format!(
                    r#""messages":[{{"role":"user","content":{{"type":"resource","resource":{{"uri":"x:1","text":"","_meta":{{"u":1e400}}}},{ANNOTATIONS}}},"y" :[ ]}}]"#
                ));
                world.reply(&sent, &format!(r#"{{"resultType":"complete",{}}}"#, members.join(",")));
                let answer = world.answer(&client, exchange);
                assert_has(answer.raw_str(Field::Result).unwrap(), &members);
            }
        }
    }
}

#[test]
fn log_messages_and_progress_pass_with_every_odd_thing_in_them() {
    for script in servers() {
        let mut world = world(script);
        for era in ERAS {
            for (target, prefix) in targets() {
                let client = world.client(era, target);
                let level =
                    if era == Era::Modern { r#","io.modelcontextprotocol/logLevel":"debug""# } else { "" };
                let meta = format!(r#""progressToken":"t\u0031"{level}"#);
                let params = format!(r#""name":"{prefix}echo""#);
                let exchange = world.post(&client, &client.write("1", "tools/call", &params, &meta));
                let sent = world.requests("a").pop().expect("the call");
                for value in VALUES {
                    let odd = format!(r#""data":{value},"x":{value},"_meta":{{"m":{value}}}"#);
                    let say = |world: &mut World, method: &str, members: &str| {
                        let note =
                            format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{{{members}}}}}"#);
                        world.says(sent.link, &note);
                        let heard = world.take(&client, exchange);
                        assert_eq!(heard.len(), 1, "{method} {heard:?}");
                        heard.concat()
                    };
                    let log = format!(r#""level":"info","logger":"l",{odd}"#);
                    let heard = say(&mut world, "notifications/message", &log);
                    assert_has(&heard, &[format!(r#""params":{{{log}}}"#)]);
                    let progress = |token: &str| {
                        format!(r#""progressToken":{token},"progress":1.0,"total":1e400,{odd}"#)
                    };
                    let heard = say(&mut world, "notifications/progress", &progress(&sent.id));
                    assert_has(&heard, &[format!(r#""params":{{{}}}"#, progress(r#""t\u0031""#))]);
                }
                world.reply(&sent, "{}");
                world.take(&client, exchange);
            }
        }
    }
}

#[test]
fn what_one_server_s_endpoint_does_not_know_passes_in_sessions_of_it() {
    for value in VALUES {
        let mut world = world(Script::default());
        let client = world.client(HTTP, at("a"));
        let stream = world.open(&client, Verb::Listen);
        let note = format!(r#"{{"jsonrpc":"2.0","method":"notifications/vendor","params":{{"x":{value}}}}}"#);
        let link = world.link("a");
        world.says(link, &note);
        assert_eq!(world.take(&client, stream), core::slice::from_ref(&note));
        world.post(&client, &note);
        assert_eq!(world.frames("a").pop().map(|(_, text)| text), Some(note));
    }
}
