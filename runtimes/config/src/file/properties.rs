//! Laws of the configuration file: what is written reads back, no text makes it panic, no value leaks.

use super::*;
use orch_core::record::{
    Confinement, Isolation, Paths, ProcessLimits, Protocol, RemoteKind, Sharing, Transport,
};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

fn parse(text: &str) -> Result<ConfigFile, Vec<Finding>> {
    ConfigFile::parse("mcp-config.json", text, &Limits::default())
}

/// Any text without NUL.
fn text() -> impl Strategy<Value = String> {
    any::<String>().prop_map(|text| text.replace('\0', "0"))
}

fn stdio() -> impl Strategy<Value = Transport> {
    let env = btree_map("[A-Z_é ]{1,8}", text(), 0..4);
    let command = text().prop_map(|text| format!("c{text}"));
    (command, vec(text(), 0..4), env, option::of("[^\0]{1,9}"))
        .prop_map(|(command, args, env, cwd)| Transport::Stdio { command, args, env, cwd })
}

fn remote() -> impl Strategy<Value = Transport> {
    let kind = prop_oneof![Just(RemoteKind::Http), Just(RemoteKind::Sse)];
    let headers = btree_map("[A-Za-z0-9-]{1,8}", "[ -~é\t]{0,9}", 0..4);
    (kind, "(https?://|\\$\\{A)[!-~]{1,20}", headers).prop_map(|(kind, url, headers)| Transport::Remote {
        kind,
        url,
        headers,
    })
}

/// Any JSON text, written as this hub writes it.
fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|it| it.to_string()),
        "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,30})?([eE][+-]?[0-9]{1,4})?",
        any::<String>().prop_map(|it| serde_json::Value::from(it).to_string()),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|all| format!("[{}]", all.join(","))),
            btree_map("[a-z]{1,4}", inner, 0..4).prop_map(|all| {
                let members: Vec<String> = all.iter().map(|(name, it)| format!("\"{name}\":{it}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

fn confinement() -> impl Strategy<Value = Confinement> {
    let isolation = prop_oneof![
        Just((None, Vec::new())),
        Just((Some(Isolation::Strict), Vec::new())),
        Just((Some(Isolation::Standard), Vec::new())),
        Just((Some(Isolation::Trusted), Vec::new())),
        Just((Some(Isolation::External), std::vec!["docker".to_owned(), "run".to_owned()])),
    ];
    let limit = || option::of(16..=4096_u32);
    let limits = (limit(), limit(), limit(), limit()).prop_map(
        |(memory_mib, processes, open_files, file_size_mib)| ProcessLimits {
            memory_mib,
            processes,
            open_files,
            file_size_mib,
        },
    );
    let paths = || vec("[/$][^\0]{0,9}", 0..3);
    let paths = (paths(), paths()).prop_map(|(read, write)| Paths { read, write });
    (isolation, any::<bool>(), limits, paths, vec(1..=u16::MAX, 0..3)).prop_map(
        |((isolation, wrapper), allow_degraded, limits, paths, ports)| Confinement {
            isolation,
            allow_degraded,
            limits,
            paths,
            ports,
            wrapper,
        },
    )
}

fn spec() -> impl Strategy<Value = ServerSpec> {
    let unknown = btree_map("x-.{0,9}", json(), 0..4);
    let times = (1..=3600_u32, option::of(1..=3600_u32), option::of(0..=86_400_u32));
    let words = (prop::sample::select(&Protocol::ALL), prop::sample::select(&Sharing::ALL));
    (prop_oneof![stdio(), remote()], any::<bool>(), times, words, confinement(), vec(text(), 0..3), unknown)
        .prop_map(
            |(
                transport,
                disabled,
                (timeout_s, call_timeout_s, idle_s),
                (protocol, sharing),
                confinement,
                auto_approve,
                unknown,
            )| {
                let confinement = match transport {
                    Transport::Stdio { .. } => confinement,
                    Transport::Remote { .. } => Confinement::default(),
                };
                ServerSpec {
                    transport,
                    disabled,
                    timeout_s,
                    call_timeout_s,
                    idle_s,
                    protocol,
                    sharing,
                    confinement,
                    oauth: None,
                    auto_approve,
                    unknown,
                }
            },
        )
}

/// Pieces that make text look like a configuration file.
fn nearly_config() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(std::vec![
            "{",
            "}",
            "[",
            "]",
            ":",
            ",",
            "\"",
            "\\",
            "//",
            "/*",
            "*/",
            "\n",
            "\r",
            "\u{feff}",
            "1",
            "-",
            ".5",
            "0x1",
            "true",
            "null",
            "\"mcpServers\":",
            "{\"mcpServers\":{",
            "\"a\":{",
            "\"command\":",
            "\"c\"",
            "\"url\":",
            "\"env\":{",
            "\"type\":",
            "\"\\u",
            "d83d",
            "\\ude00",
            "é",
            "😀",
            "'",
        ])
        .prop_map(str::to_owned),
        ".{0,3}",
    ];
    vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

const SECRET: &str = "s3cret";

/// An entry in which every value says the secret, in every kind of wrong place.
fn entry_of_secrets() -> impl Strategy<Value = String> {
    let value = prop::sample::select(std::vec![
        "\"s3cret\"",
        "[\"s3cret\"]",
        "{\"A\":\"s3cret\"}",
        "[\"s3cret\",1]",
        "{\"A\":[\"s3cret\"]}",
        "{\"A B=\":\"s3cret\"}",
        "\"s3cret\\u0000\"",
        "\"http://s3cret\"",
        "{\"A\":\"s3cret\\n\",\"A\":\"s3cret\"}",
    ]);
    let name = prop::sample::select(std::vec![
        "command",
        "args",
        "env",
        "cwd",
        "url",
        "headers",
        "type",
        "transport",
        "timeout",
        "disabled",
        "autoApprove",
        "isolation",
        "limits",
        "paths",
        "ports",
        "wrapper",
        "cmmand",
        "x",
    ]);
    vec((name, value), 0..5).prop_map(|members| {
        let members: Vec<String> =
            members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{\"mcpServers\":{{\"a\":{{{}}}}}}}", members.join(","))
    })
}

proptest! {
    #[test]
    fn what_is_written_reads_back_the_same(spec in spec()) {
        let text = format!("{{\"mcpServers\": {{\"s\": {}}}}}", write(&spec));
        let file = parse(&text);
        prop_assert_eq!(file.map(|it| it.servers), Ok(BTreeMap::from([("s".to_owned(), spec)])));
    }

    #[test]
    fn no_text_makes_it_panic(text in prop_oneof![any::<String>(), nearly_config()]) {
        drop(parse(&text));
    }

    #[test]
    fn a_value_never_appears_in_a_finding(text in entry_of_secrets(), at in any::<prop::sample::Index>()) {
        let mut damaged = text.clone();
        damaged.remove(at.index(text.len()));
        for text in [text, damaged] {
            let findings = parse(&text).map_or_else(|errors| errors, |file| file.warnings);
            for finding in findings {
                prop_assert!(!finding.to_string().contains(SECRET), "{} in {}", finding, text);
            }
        }
    }
}
