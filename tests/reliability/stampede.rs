//! R20: a restart with many servers, some of them bad, and all clients at once.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::figures::{Figures, Scale};
use crate::home::Home;
use crate::hub::Hub;
use crate::line::{Door, calls_until, p99};
use crate::peers::Server;
use crate::stage::{ask, children, door, server};

/// Servers that may be starting at the same time, at most.
const BUDGET: usize = 8;
const FIRST_LIST: f64 = 1000.0;
const UNAFFECTED: f64 = 1.5;

pub(crate) async fn prove(scale: Scale) -> Figures {
    let mut figures = Figures::new(scale);
    let (servers, bad, clients) = scale.of((10, 2, 50), (100, 20, 500));
    let home = Home::new();
    let turns_bad = |number: usize| home.path().join(format!("bad-{number}"));
    let one = |number| (format!("s{number}"), server().env("BAD", turns_bad(number).display().to_string()));
    let all: Vec<(String, Server)> = (0..servers).map(one).collect();
    let named: Vec<(&str, Server)> = all.iter().map(|(name, it)| (name.as_str(), it.clone())).collect();
    home.configure(&named);
    let hub = Hub::start(&home).await;
    let key = hub.create_key().await;
    // Every server is seen once, so that its tools are known.
    let seen = json!({ "Tools": { "project": "default", "server": null } });
    ask(&hub, &seen).await;
    drop(hub);
    let calm = restart(&home, &key, (servers, bad, clients), scale).await;
    for number in 0..bad {
        let way = if number % 2 == 0 { "ends" } else { "silent" };
        std::fs::write(turns_bad(number), way).expect("a file");
    }
    let storm = restart(&home, &key, (servers, bad, clients), scale).await;
    figures.say(format!("{servers} servers, {bad} of them bad, {clients} clients at once after a restart"));
    figures.time("first tools/list", storm.first_list, FIRST_LIST, " ms");
    figures.say(format!("slowest tools/list {:.0} ms", storm.last_list));
    figures.exactly("lists without an answer:", storm.lost, 0);
    figures.at_most("servers starting at the same time", storm.starting, BUDGET);
    figures.say(format!("all {} healthy servers usable after {:.1} s", servers - bad, storm.usable));
    figures.time("of that without bad ones", storm.usable / calm.usable.max(0.001), 3.0, " times");
    figures.time(
        "p99 of calls to running servers, of that without bad ones",
        storm.p99 / calm.p99,
        UNAFFECTED,
        " times",
    );
    figures
}

/// What a restart was like; times in milliseconds, but for `usable`.
struct Seen {
    first_list: f64,
    last_list: f64,
    lost: usize,
    starting: usize,
    /// Seconds until every healthy server has answered a call.
    usable: f64,
    p99: f64,
}

async fn restart(
    home: &Arc<Home>,
    key: &str,
    (servers, bad, clients): (usize, usize, usize),
    scale: Scale,
) -> Seen {
    let hub = Hub::start(home).await;
    let unified = Door { path: "/mcp".to_owned(), ..door(&hub, "", key) };
    let begin = Instant::now();
    let mut lists = JoinSet::new();
    for _ in 0..clients {
        lists.spawn(list(unified.clone(), begin));
    }
    let mut wakes = JoinSet::new();
    for number in 0..servers {
        let (door, healthy) = (door(&hub, &format!("s{number}"), key), number >= bad);
        wakes.spawn(async move {
            if healthy {
                let answer = door.ask("echo", &json!({ "text": "well" })).await.json();
                assert_eq!(answer["result"]["content"][0]["text"], "well", "{answer}");
                Some(begin.elapsed())
            } else {
                door.connect().await.send(&door.call("echo", &json!({}))).await;
                None
            }
        });
    }
    let mut starting = 0;
    let mut usable = Duration::ZERO;
    while !wakes.is_empty() {
        tokio::select! {
            Some(woken) = wakes.join_next() => usable = usable.max(woken.expect("a call").unwrap_or_default()),
            () = tokio::time::sleep(Duration::from_millis(20)) => starting = starting.max(starts(&hub).await),
        }
    }
    let lists = lists.join_all().await;
    let mut times: Vec<f64> = lists.iter().flatten().map(|took| took.as_secs_f64() * 1000.0).collect();
    times.sort_by(f64::total_cmp);
    let end = Instant::now() + Duration::from_secs(scale.of(2, 10));
    let mut callers = JoinSet::new();
    for number in bad..servers.min(bad + 8) {
        let door = door(&hub, &format!("s{number}"), key);
        callers.spawn(async move { calls_until(&door, end).await });
    }
    // The bad ones are asked for again and again meanwhile.
    while Instant::now() < end {
        for number in 0..bad {
            let door = door(&hub, &format!("s{number}"), key);
            door.connect().await.send(&door.call("echo", &json!({}))).await;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    Seen {
        first_list: times.first().copied().unwrap_or_default(),
        last_list: times.last().copied().unwrap_or_default(),
        lost: lists.len() - times.len(),
        starting,
        usable: usable.as_secs_f64(),
        p99: p99(callers.join_all().await.concat()),
    }
}

/// How many servers are starting.
async fn starts(hub: &Hub) -> usize {
    let servers = ask(hub, &json!({ "Servers": { "project": "default" } })).await;
    let servers = servers["Servers"].as_array().expect("servers");
    let starting = servers.iter().filter(|server| server["state"] == "starting").count();
    starting.min(children(hub.pid()).len())
}

/// A client that comes back: a session, and all tools of all servers.
async fn list(door: Door, begin: Instant) -> Option<Duration> {
    let mut line = door.connect().await;
    let session = door.session(&mut line).await;
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" });
    let answer = line.exchange(&door.message(Some(&session), &message)).await;
    (answer.status == 200
        && answer.json()["result"]["tools"].as_array().is_some_and(|tools| !tools.is_empty()))
    .then(|| begin.elapsed())
}
