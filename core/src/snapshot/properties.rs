//! Names and pages for arbitrary servers: every tool is listed once, under a name that models accept, and that name
//! leads back to it.

use alloc::borrow::ToOwned;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;
use proptest::sample::select;
use serde::Deserialize;

use super::{Draft, Instance, Listing, Snapshot, spec_digest};
use crate::mcp::ListKind;
use crate::ports::gateway::Target;
use crate::record::{
    Definition, Definitions, Mode, Origin, Premises, Project, Server, ServerSpec, Transport,
};
use crate::rpc::write;
use crate::{Entropy, Limits, ProjectId, ServerId, Timestamp};

fn config() -> ProptestConfig {
    ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() }
}

/// Servers by name, with the names of their tools. Few characters, so that names run into each other.
fn servers() -> impl Strategy<Value = BTreeMap<String, BTreeSet<String>>> {
    let server = prop_oneof![4 => "[ab_.]{1,4}", 1 => "[A-Za-z0-9_.-]{1,64}"];
    let tool = prop_oneof![4 => "[abc_./-]{1,5}", 1 => "[a-z_]{30,70}", 1 => ".{1,12}"];
    btree_map(server, btree_set(tool, 0..6), 1..5)
}

fn instance(page_entries: usize) -> Arc<Instance> {
    Arc::new(Instance {
        limits: Limits { page_entries, ..Limits::default() },
        cursor_key: [5; 32],
        base_url: "http://127.0.0.1:8000".into(),
        config_file: "mcp-config.json".into(),
        premises: Premises::default(),
    })
}

fn named(name: &str) -> Definition {
    let mut json = Vec::from(b"{\"inputSchema\":{\"name\":1},\"name\":");
    write::string(&mut json, name);
    json.push(b'}');
    Definition { name: name.to_owned(), json: String::from_utf8(json).unwrap() }
}

fn snapshot(servers: &BTreeMap<String, BTreeSet<String>>, separator: &str, page_entries: usize) -> Snapshot {
    let (mut entropy, now) = (Entropy::from_seed([1; 32]), Timestamp(0));
    let project = Project {
        id: ProjectId::mint(now, &mut entropy),
        slug: "default".into(),
        name: "Default".into(),
        separator: separator.into(),
        mode: Mode::Proxy,
        created_at: now,
    };
    let (mut all, mut definitions) = (Vec::new(), Vec::new());
    for (name, tools) in servers {
        let (command, args, env) = ("x".into(), Vec::new(), BTreeMap::new());
        let spec = ServerSpec::new(Transport::Stdio { command, args, env, cwd: None });
        let id = ServerId::mint(now, &mut entropy);
        definitions.push(Arc::new(Definitions {
            server: id,
            project: project.id,
            spec_digest: spec_digest(&spec),
            fetched_at: now,
            revision: "2025-11-25".into(),
            server_info: "{}".into(),
            capabilities: r#"{"tools":{}}"#.into(),
            instructions: None,
            tools: tools.iter().map(|tool| named(tool)).collect(),
            prompts: Vec::new(),
            resources: Vec::new(),
            templates: Vec::new(),
            interactive: false,
            aside: BTreeMap::new(),
            untold: BTreeMap::new(),
        }));
        all.push(Server { id, project: project.id, name: name.clone(), origin: Origin::ConfigFile, spec });
    }
    let draft = Draft { project, servers: all, definitions, instance: instance(page_entries), planner: None };
    Snapshot::build(draft, None)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    tools: Vec<Tool>,
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
struct Tool {
    name: String,
}

/// The names of all pages, and how many pages there are.
fn walk(list: &Listing) -> (Vec<String>, usize) {
    let (mut names, mut pages, mut cursor) = (Vec::new(), 0, None::<String>);
    loop {
        let page = list.page(cursor.as_deref()).unwrap();
        let text = format!("{{{}}}", core::str::from_utf8(&page.members).unwrap());
        let page: Page = serde_json::from_str(&text).unwrap();
        names.extend(page.tools.into_iter().map(|tool| tool.name));
        pages += 1;
        assert!(pages < 1_000, "pages without an end");
        match page.next_cursor {
            Some(next) => cursor = Some(next),
            None => return (names, pages),
        }
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_tool_is_listed_once_under_a_name_that_leads_to_it(
        servers in servers(),
        separator in select(&["__", ".", "-", "_"][..]),
    ) {
        let snapshot = snapshot(&servers, separator, 3);
        let list = snapshot.listing(&Target::Unified, ListKind::Tools).unwrap();
        let (names, _) = walk(list);
        let mut places = BTreeSet::new();
        for name in &names {
            let fits = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-') || (separator == "." && c == b'.');
            prop_assert!(name.len() <= 48 && name.bytes().all(fits), "{name}");
            let place = snapshot.unified.tool(name).unwrap();
            let server = snapshot.entry(place.server).unwrap().name.clone();
            prop_assert!(places.insert((server, place.name.clone())), "{name} is a second name");
        }
        for (server, tools) in &servers {
            for tool in tools {
                prop_assert!(places.contains(&(server.clone(), tool.clone())), "{server} {tool} is not listed");
            }
        }
        prop_assert_eq!(names.len(), list.len());
    }

    #[test]
    fn every_spelling_of_one_tool_leads_to_a_tool_that_is_spelt_so(servers in servers()) {
        let snapshot = snapshot(&servers, "__", 100);
        for (server, tools) in &servers {
            for (tool, between) in tools.iter().flat_map(|tool| ["__", ".", "/", ":"].map(|it| (tool, it))) {
                let spelling = format!("{server}{between}{tool}");
                let all = servers.iter().flat_map(|(server, tools)| tools.iter().map(move |tool| (server, tool)));
                let own = |(server, tool): &(&String, &String)| {
                    ["__", ".", "/", ":"].iter().any(|it| format!("{server}{it}{tool}") == spelling)
                };
                let Some(place) = snapshot.unified.tool(&spelling) else {
                    prop_assert!(all.filter(own).count() > 1, "{spelling} is of one tool, and leads to none");
                    continue;
                };
                let found = &snapshot.entry(place.server).unwrap().name;
                let spelt = ["__", ".", "/", ":"].map(|it| format!("{found}{it}{}", place.name));
                let wire = super::names::wire_name(found, "__", &place.name, 48);
                let marked = super::names::marked_name(found, "__", &place.name, 48);
                prop_assert!(spelt.contains(&spelling) || spelling == wire || spelling == marked, "{spelling}");
            }
        }
    }

    #[test]
    fn pages_hold_every_entry_once_and_in_order(names in vec("[ab]{1,2}", 0..30), page_entries in 1_usize..7) {
        // Templates of several servers may be named alike.
        let entries: Vec<Definition> = names.iter().map(|name| named(name)).collect();
        let list = Listing::build(ListKind::Tools, &entries, &instance(page_entries));
        let (walked, pages) = walk(&list);
        prop_assert_eq!(&walked, &names);
        prop_assert_eq!(pages, names.len().div_ceil(page_entries).max(1));
    }

    #[test]
    fn a_cursor_is_of_one_list_alone(count in 3_usize..9, other in 1_usize..9) {
        let entries: Vec<Definition> = (0..count).map(|n| named(&n.to_string())).collect();
        let list = Listing::build(ListKind::Tools, &entries, &instance(2));
        let page: Page =
            serde_json::from_str(&format!("{{{}}}", core::str::from_utf8(&list.page(None).unwrap().members).unwrap())).unwrap();
        let cursor = page.next_cursor.unwrap();
        prop_assert!(list.page(Some(&cursor)).is_ok());
        let prompts = Listing::build(ListKind::Prompts, &entries, &instance(2));
        prop_assert!(prompts.page(Some(&cursor)).is_err());
        let foreign = Instance { cursor_key: [6; 32], ..Arc::into_inner(instance(2)).unwrap() };
        prop_assert!(Listing::build(ListKind::Tools, &entries, &foreign).page(Some(&cursor)).is_err());
        let cut_elsewhere = Listing::build(ListKind::Tools, &entries, &instance(other));
        prop_assert_eq!(cut_elsewhere.page(Some(&cursor)).is_ok(), other <= 2);
    }
}
