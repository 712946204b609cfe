//! What is JSON-RPC and not what MCP has: refused where it comes in, in words that say what is wrong.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;

use super::begun::begun;
use super::clients::{Client, ERAS, Era, HTTP, SAMPLED, Sent, at, params_of};
use super::script::Script;
use super::world::World;
use crate::rpc::Field;
use crate::{ExchangeId, Limits};

const ABLE: &str = r#"{"sampling":{},"elicitation":{"form":{},"url":{}},"roots":{}}"#;
const ROOTS: &str = r#""inputRequests":{"k":{"method":"roots/list"}}"#;

/// A server of 2026-07-28, and a call that it works on.
fn called(era: Era) -> (World, Client, ExchangeId, Sent) {
    let mut world = World::scripted(Limits::default(), [("a", Script::modern())]).surveyed();
    world.frames("a");
    let client = world.able_client(era, at("a"), ABLE);
    let call = world.call(&client, "1");
    let sent = world.requested("a");
    (world, client, call, sent)
}

/// The code and the words of the one error that a client got; its server was sent nothing.
#[track_caller]
fn refusal(world: &mut World, client: &Client, exchange: ExchangeId) -> (String, String) {
    assert_eq!(world.frames("a"), [], "no server hears of it");
    let answer = world.answer(client, exchange);
    let code = answer.raw_str(Field::Code).unwrap_or_else(|| panic!("{answer:?}")).to_owned();
    (code, answer.text(Field::ErrorMessage).unwrap().into_owned())
}

#[test]
fn a_demand_for_input_that_is_not_whole_ends_the_call_in_every_era() {
    let asks = |question: &str| format!(r#""requestState":"s","inputRequests":{{"k":{question}}}"#);
    let elicits = |params: &str| asks(&format!(r#"{{"method":"elicitation/create","params":{params}}}"#));
    for (demand, words) in [
        (format!(r#"{ROOTS},"requestState":5"#), "requestState of its demand for input is no string"),
        (format!(r#"{ROOTS},"requestState":{{"a":1}}"#), "requestState of its demand for input is no string"),
        (asks(r#"{"method":"x/y"}"#), "asks its client for x/y, which the protocol does not have"),
        (asks(r#"{"method":"tools/call","params":{"name":"x"}}"#), "asks its client for tools/call"),
        (
            asks(r#"{"method":"elicitation/create"}"#),
            "asks for as \"k\" is not of its form: params.message is missing",
        ),
        (elicits(r#"{"message":"?"}"#), "params.requestedSchema is missing"),
        (elicits(r#"{"message":"?","mode":"url"}"#), "params.url is missing"),
        (
            asks(r#"{"method":"sampling/createMessage","params":{"messages":[]}}"#),
            "params.maxTokens is missing",
        ),
    ] {
        for era in ERAS {
            let (mut world, client, call, sent) = called(era);
            world.reply(&sent, &format!(r#"{{"resultType":"input_required",{demand}}}"#));
            let (code, said) = refusal(&mut world, &client, call);
            assert!(code == "-31003" && said.contains(words), "{era:?} {demand}: {code} {said}");
        }
    }
}

#[test]
fn a_type_of_a_result_that_is_no_string_ends_the_call_in_every_era() {
    for kind in ["7", "null", "{}"] {
        for era in ERAS {
            let (mut world, client, call, sent) = called(era);
            world.reply(&sent, &format!(r#"{{"resultType":{kind},{ROOTS},"requestState":"s"}}"#));
            let (code, said) = refusal(&mut world, &client, call);
            assert!(
                code == "-31003" && said.contains("its resultType is no string"),
                "{era:?}: {code} {said}"
            );
        }
    }
}

#[test]
fn what_is_null_in_a_demand_for_input_is_not_there() {
    for (demand, shown) in [
        (format!(r#"{ROOTS},"requestState":null"#), ROOTS),
        (r#""inputRequests":null,"requestState":"s""#.to_owned(), r#""requestState":""#),
    ] {
        let (mut world, client, call, sent) = called(Era::Modern);
        world.reply(&sent, &format!(r#"{{"resultType":"input_required",{demand}}}"#));
        let answer = world.answer(&client, call);
        let result = answer.raw_str(Field::Result).unwrap();
        assert!(result.contains(shown) && !result.contains("null"), "{result}");
    }
    let (mut world, client, call, sent) = called(HTTP);
    world.reply(&sent, r#"{"resultType":"input_required","inputRequests":null,"requestState":"s"}"#);
    assert!(world.requested("a").params.contains(r#""requestState":"s""#));
    assert!(world.take(&client, call).is_empty());
}

#[test]
fn a_request_of_a_server_without_what_it_needs_is_refused_to_it_and_reaches_no_client() {
    let (elicits, samples) = ("elicitation/create", "sampling/createMessage");
    for (method, params, words) in [
        (elicits, "{}", "params.message is missing"),
        (elicits, r#"{"message":"?"}"#, "params.requestedSchema is missing"),
        (elicits, r#"{"mode":"url","message":"?","url":"u:1"}"#, "params.elicitationId is missing"),
        (samples, r#"{"messages":[]}"#, "params.maxTokens is missing"),
        (samples, r#"{"messages":[{"role":"user"}],"maxTokens":1}"#, "params.messages[0].content is missing"),
    ] {
        for era in ERAS {
            let mut world = World::running(&["a"]);
            let client = world.able_client(era, at("a"), ABLE);
            let call = world.call(&client, "1");
            let sent = world.requested("a");
            world.says(
                sent.link,
                &format!(r#"{{"jsonrpc":"2.0","id":7,"method":"{method}","params":{params}}}"#),
            );
            world.advance(Limits::default().gather);
            let (_, told) = world.frames("a").pop().unwrap();
            let error = format!(r#"{{"code":-32602,"message":"invalid params: {words}"}}"#);
            assert_eq!(told, format!(r#"{{"jsonrpc":"2.0","id":7,"error":{error}}}"#), "{era:?}");
            assert!(world.take(&client, call).is_empty(), "{era:?} {method} {params}");
        }
    }
}

#[test]
fn nor_does_one_that_comes_while_the_client_is_away() {
    let mut world = World::running(&["a"]);
    let client = Client { capabilities: ABLE, ..Client::new(Era::Modern, at("a")) };
    let call = world.call(&client, "1");
    let link = world.requested("a").link;
    world.says(link, r#"{"jsonrpc":"2.0","id":1,"method":"roots/list"}"#);
    world.advance(Limits::default().gather);
    world.answer(&client, call);
    world.says(link, r#"{"jsonrpc":"2.0","id":2,"method":"elicitation/create","params":{"message":"?"}}"#);
    let (_, told) = world.frames("a").pop().unwrap();
    assert!(told.contains(r#""id":2,"error":{"code":-32602"#), "{told}");
}

/// What a client says to a question of each kind, and what is wrong with it.
const ANSWERS: [(&str, &str, &str); 9] = [
    ("elicitation/create", "[]", ""),
    ("elicitation/create", "{}", ""),
    ("elicitation/create", r#"{"action":5}"#, ".action is to be one of accept, decline, cancel"),
    ("elicitation/create", r#"{"action":"accept","content":[]}"#, ".content is to be an object"),
    ("sampling/createMessage", r#"{"role":"assistant","content":[]}"#, ".model is missing"),
    (
        "sampling/createMessage",
        r#"{"role":"assistant","content":"x","model":"m"}"#,
        ".content is to be an object",
    ),
    ("roots/list", "null", ""),
    ("roots/list", r#"{"roots":[1]}"#, ".roots[0] is to be an object"),
    ("roots/list", r#"{"roots":{}}"#, ".roots is to be an array"),
];

#[test]
fn an_answer_of_another_shape_is_an_error_for_a_server_of_2025_and_ends_the_call_of_one_of_2026() {
    for (method, answer, words) in ANSWERS {
        for era in [Era::Sse, HTTP] {
            let mut world = World::running(&["a"]);
            let client = world.able_client(era, at("a"), ABLE);
            let call = world.call(&client, "1");
            let sent = world.requested("a");
            let params = params_of(method);
            world.says(
                sent.link,
                &format!(r#"{{"jsonrpc":"2.0","id":7,"method":"{method}","params":{params}}}"#),
            );
            respond(&mut world, &client, call, answer);
            let (_, told) = world.frames("a").pop().unwrap();
            assert!(told.contains(r#""id":7,"error":{"code":-32603"#) && told.contains(words), "{told}");

            let (mut world, client, call, sent) = called(era);
            let question = format!(r#"{{"method":"{method}","params":{params}}}"#);
            let demand = format!(r#""inputRequests":{{"k":{question}}},"requestState":"s""#);
            world.reply(&sent, &format!(r#"{{"resultType":"input_required",{demand}}}"#));
            respond(&mut world, &client, call, answer);
            let (code, said) = refusal(&mut world, &client, call);
            assert!(code == "-31007" && said.contains(words), "{answer}: {code} {said}");
        }
    }
}

fn respond(world: &mut World, client: &Client, call: ExchangeId, result: &str) {
    let id = world.answer(client, call).raw_str(Field::Id).unwrap().to_owned();
    world.post(client, &format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#));
}

/// A client of 2026-07-28 that was asked by a server of one era or the other: the name of the question, and the state.
fn asked(world: &mut World, client: &Client, method: &str) -> (String, String) {
    let call = world.call(client, "1");
    let sent = world.requested("a");
    let params = params_of(method);
    let question = format!(r#""method":"{method}","params":{params}"#);
    world.says(sent.link, &format!(r#"{{"jsonrpc":"2.0","id":7,{question}}}"#));
    world.advance(Limits::default().gather);
    if world.take_nothing(call) {
        world.frames("a");
        let demand = format!(r#""inputRequests":{{"k":{{{question}}}}},"requestState":"s""#);
        world.reply(&sent, &format!(r#"{{"resultType":"input_required",{demand}}}"#));
    }
    let answer = world.answer(client, call);
    let questions = answer.raw_str(Field::InputRequests).unwrap();
    let name = questions.trim_start_matches("{\"").split('"').next().unwrap().to_owned();
    (name, answer.text(Field::RequestState).unwrap().into_owned())
}

impl World {
    fn take_nothing(&self, exchange: ExchangeId) -> bool {
        self.seen(exchange).messages.is_empty()
    }

    pub(super) fn tries(&mut self, client: &Client, more: &str) -> ExchangeId {
        self.request(client, "2", "tools/call", &format!(r#""name":"echo","arguments":{{"n":1}},{more}"#))
    }
}

/// A world with a server of 2025, and one with a server of 2026-07-28.
fn both() -> [World; 2] {
    let mut modern = World::scripted(Limits::default(), [("a", Script::modern())]).surveyed();
    modern.frames("a");
    [World::running(&["a"]), modern]
}

#[test]
fn input_of_another_shape_is_refused_by_its_name_and_the_question_stays() {
    for (method, answer, words) in ANSWERS {
        for mut world in both() {
            let client = Client { capabilities: ABLE, ..Client::new(Era::Modern, at("a")) };
            let (name, state) = asked(&mut world, &client, method);
            let with =
                |input: &str| format!(r#""requestState":"{state}","inputResponses":{{"{name}":{input}}}"#);
            let again = world.tries(&client, &with(answer));
            let (code, said) = refusal(&mut world, &client, again);
            let wrong = format!("inputResponses[{name:?}]{words}");
            assert!(code == "-32602" && said.contains(&wrong), "{answer}: {code} {said}");
            let good = match method {
                "elicitation/create" => r#"{"action":"decline"}"#,
                "sampling/createMessage" => SAMPLED,
                _ => r#"{"roots":[]}"#,
            };
            world.tries(&client, &with(good));
            assert!(!world.frames("a").is_empty(), "the server has its answer");
        }
    }
}

#[test]
fn input_that_answers_another_kind_of_question_is_refused() {
    let [mut world, _] = both();
    let client = Client { capabilities: ABLE, ..Client::new(Era::Modern, at("a")) };
    let (name, state) = asked(&mut world, &client, "roots/list");
    let input = format!(r#""requestState":"{state}","inputResponses":{{"{name}":{{"action":"accept"}}}}"#);
    let again = world.tries(&client, &input);
    let (code, said) = refusal(&mut world, &client, again);
    assert!(code == "-32602" && said.contains(".roots is missing"), "{said}");
}

#[test]
fn what_is_said_to_a_server_s_question_about_a_task_is_the_server_s_to_understand() {
    let (mut world, _, _, _) = called(Era::Modern);
    let client = Client {
        capabilities: r#"{"extensions":{"io.modelcontextprotocol/tasks":{}}}"#,
        ..Client::new(Era::Modern, at("a"))
    };
    begun(&mut world, &client, "t");
    world.request(&client, "2", "tasks/update", r#""taskId":"t","inputResponses":{"unknown":{"x":1}}"#);
    assert!(world.requested("a").params.contains(r#""unknown":{"x":1}"#));
}

#[test]
fn a_state_that_is_no_string_and_input_that_is_no_object_are_refused() {
    for mut world in both() {
        let client = Client { capabilities: ABLE, ..Client::new(Era::Modern, at("a")) };
        let (_, state) = asked(&mut world, &client, "roots/list");
        let inputs = ["[{}]", r#""x""#, "null"].map(|input| {
            (
                format!(r#""requestState":"{state}","inputResponses":{input}"#),
                "inputResponses is to be an object",
            )
        });
        let states = ["5", "{}", "null"]
            .map(|state| (format!(r#""requestState":{state}"#), "requestState is to be a string"));
        for (more, words) in inputs.into_iter().chain(states) {
            let again = world.tries(&client, &more);
            let (code, said) = refusal(&mut world, &client, again);
            assert!(code == "-32602" && said.contains(words), "{more}: {said}");
        }
    }
}

#[test]
fn what_a_client_of_2025_calls_a_state_or_input_is_none_to_a_server_of_2026() {
    for era in [Era::Sse, HTTP] {
        let (mut world, client, _, _) = called(era);
        world.tries(&client, r#""requestState":"forged","inputResponses":7"#);
        let params = world.requested("a").params;
        assert!(!params.contains("forged") && !params.contains("inputResponses"), "{params}");
    }
}

#[test]
fn an_error_that_lists_something_else_than_addresses_to_visit_is_unreadable_to_a_client_of_2026() {
    let visit = r#"{"mode":"url","message":"?","url":"u:1","elicitationId":"e"}"#;
    for (listed, words) in [
        (r#"{"mode":"form"},5"#.to_owned(), "data.elicitations[0].mode is to be one of url"),
        (format!("{visit},5"), "data.elicitations[1] is to be an object"),
        (visit.replace("url\":\"u:1", "x\":\"u:1"), "data.elicitations[0].url is missing"),
    ] {
        let mut world = World::running(&["a"]);
        let client = world.able_client(Era::Modern, at("a"), ABLE);
        let call = world.call(&client, "1");
        let sent = world.requested("a");
        let error = format!(r#"{{"code":-32042,"message":"?","data":{{"elicitations":[{listed}]}}}}"#);
        world.says(sent.link, &format!(r#"{{"jsonrpc":"2.0","id":{},"error":{error}}}"#, sent.id));
        let (code, said) = refusal(&mut world, &client, call);
        assert!(code == "-31003" && said.contains(words), "{listed}: {code} {said}");
    }
}

#[test]
fn an_answer_that_is_none_ends_a_parked_call_as_it_ends_any_other() {
    let [mut world, _] = both();
    let client = Client { capabilities: ABLE, ..Client::new(Era::Modern, at("a")) };
    let call = world.call(&client, "1");
    let sent = world.requested("a");
    world.says(sent.link, r#"{"jsonrpc":"2.0","id":7,"method":"roots/list"}"#);
    world.advance(Limits::default().gather);
    let state = world.answer(&client, call).text(Field::RequestState).unwrap().into_owned();
    world.reply(&sent, "[]");
    let again = world.tries(&client, &format!(r#""requestState":"{state}""#));
    assert_eq!(world.code(&client, again), "-31003");
}

#[test]
fn arguments_that_are_no_object_are_refused_and_null_is_none() {
    for era in ERAS {
        let (mut world, client, _, _) = called(era);
        for arguments in ["[1]", r#""x""#, "5", "false"] {
            let call = world.request(
                &client,
                "2",
                "tools/call",
                &format!(r#""name":"echo","arguments":{arguments}"#),
            );
            let (code, said) = refusal(&mut world, &client, call);
            assert!(
                code == "-32602" && said.contains("params.arguments is to be an object"),
                "{era:?} {said}"
            );
        }
        world.request(&client, "3", "tools/call", r#""name":"echo","arguments":null"#);
        assert!(world.requested("a").params.contains(r#""arguments":{}"#));
    }
}

#[test]
fn meta_that_is_no_object_and_tokens_that_revisions_do_not_have_are_refused() {
    for era in ERAS {
        let (mut world, client, _, _) = called(era);
        for token in ["{}", "[]", "1.5", "true"] {
            let call = world.call_with(&client, "2", &format!(r#""progressToken":{token}"#));
            let (code, said) = refusal(&mut world, &client, call);
            assert!(
                code == "-32602" && said.contains("_meta.progressToken must be"),
                "{era:?} {token}: {said}"
            );
        }
        for token in [r#""t""#, "-7", "7.0", "123456789012345678901234567890123456789012", "null"] {
            world.call_with(&client, "3", &format!(r#""progressToken":{token}"#));
            assert_eq!(world.requests("a").len(), 1, "{token}");
        }
        if era != Era::Modern {
            for meta in ["[]", "7"] {
                let call =
                    world.request(&client, "2", "tools/call", &format!(r#""name":"echo","_meta":{meta}"#));
                let (code, said) = refusal(&mut world, &client, call);
                assert!(code == "-32602" && said.contains("_meta must be an object"), "{era:?} {said}");
            }
            world.request(&client, "4", "tools/call", r#""name":"echo","_meta":null"#);
            assert_eq!(world.requests("a").len(), 1);
        }
    }
}

#[test]
fn a_log_level_that_there_is_not_is_refused() {
    let (mut world, client, _, _) = called(Era::Modern);
    for level in [r#""loud""#, "7"] {
        let call = world.call_with(&client, "2", &format!(r#""io.modelcontextprotocol/logLevel":{level}"#));
        let (code, said) = refusal(&mut world, &client, call);
        assert!(code == "-32602" && said.contains("must be one of debug, info"), "{level}: {said}");
    }
    world.call_with(&client, "3", r#""io.modelcontextprotocol/logLevel":"emergency""#);
    assert_eq!(world.requests("a").len(), 1);
}
