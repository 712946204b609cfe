//! R7: a server that ends in the middle of a call is told of at once, and the call is not made again.

use serde_json::json;
use tokio::time::Instant;

use crate::figures::{Figures, Scale};
use crate::home::Home;
use crate::hub::Hub;
use crate::line::p99;
use crate::stage::{Usage, door, order, server};

pub(crate) async fn prove(scale: Scale) -> Figures {
    let mut figures = Figures::new(scale);
    let crashes = scale.of(25, 1000);
    let home = Home::new();
    let journal = home.path().join("journal");
    home.configure(&[("it", server().env("JOURNAL", journal.display().to_string()))]);
    let hub = Hub::start(&home).await;
    let door = door(&hub, "it", &hub.create_key().await);
    let (mut line, mut times, mut before) = (door.connect().await, Vec::new(), None);
    for crash in 0..crashes {
        // By hand: what keeps failing is left alone otherwise.
        order(&hub, "it", "Start").await;
        let asked = Instant::now();
        let answer = line.exchange(&door.call("exit", &json!({}))).await.json();
        times.push(u64::try_from(asked.elapsed().as_micros()).unwrap_or(u64::MAX));
        assert_eq!(answer["error"]["code"], -31_003, "{answer}");
        assert_eq!(answer["error"]["data"], json!({ "retryable": false, "outcome": "unknown" }), "{answer}");
        if crash == crashes / 5 {
            before = Some(Usage::of(hub.pid()));
        }
        if crash % 100 == 99 {
            println!("    … {} of {crashes} crashes", crash + 1);
        }
    }
    let calls = std::fs::read_to_string(&journal).expect("the journal").lines().count();
    figures.say(format!("{crashes} servers that ended in a call"));
    figures.exactly("calls made:", calls, crashes);
    figures.time("p99 from the call to its error", p99(times), 100.0, " ms");
    if let Some(before) = before {
        let after = Usage::of(hub.pid());
        figures.exactly("zombies", after.zombies, 0);
        figures.at_most("descriptors", after.descriptors, before.descriptors + 3);
    }
    figures
}
