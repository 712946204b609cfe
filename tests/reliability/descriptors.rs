//! R26: a hub that has few descriptors turns clients away in words, does not spin, and is well again when they are gone.

use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::figures::{Figures, Scale};
use crate::home::Home;
use crate::hub::Hub;
use crate::process;
use crate::stage::{Usage, door, server};

const FEW: u32 = 256;

pub(crate) async fn prove(scale: Scale) -> Figures {
    let mut figures = Figures::new(scale);
    let home = Home::with(&[("it", server())]);
    let hub = Hub::start_with(&home, |command| {
        let mut few = process::command(process::found("sh"));
        few.args(["-c", &format!("ulimit -n {FEW} && exec \"$0\" \"$@\"")]);
        few.arg(command.get_program()).args(command.get_args());
        home.mark(&mut few);
        *command = few;
        command
    })
    .await;
    let door = door(&hub, "it", &hub.create_key().await);
    let mut line = door.connect().await;
    let call = door.call("echo", json!({ "text": "well" }));
    line.exchange(&call).await;
    let before = Usage::of(hub.pid());
    let (mut held, mut turned_away) = (Vec::new(), 0);
    for _ in 0..2 * FEW {
        let mut stream = TcpStream::connect(&door.address).await.expect("a connection");
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.expect("it is sent");
        let mut status = [0; 12];
        match timeout(Duration::from_millis(200), stream.read_exact(&mut status)).await {
            Ok(Ok(_)) if &status == b"HTTP/1.1 503" => turned_away += 1,
            Ok(_) | Err(_) => held.push(stream),
        }
    }
    let full = Usage::of(hub.pid());
    let answer = line.exchange(&call).await.json();
    assert_eq!(answer["result"]["content"][0]["text"], "well", "{answer}");
    let span = Duration::from_secs(scale.of(1, 5));
    sleep(span).await;
    let ticks = Usage::of(hub.pid()).ticks - full.ticks;
    let percent = ticks * 100 / (span.as_secs() * rustix::param::clock_ticks_per_second()).max(1);
    figures.say(format!("{} connections to a hub with {FEW} descriptors", 2 * FEW));
    figures.say(format!("{turned_away} turned away with 503, {} held", held.len()));
    figures.exactly("turned away in words, of those beyond its room", turned_away > 0, true);
    figures.at_most("descriptors", full.descriptors, FEW as usize);
    figures.at_most("percent of a core while it is full", percent, 20);
    drop(held);
    let answer = door.ask("echo", json!({ "text": "again" })).await.json();
    assert_eq!(answer["result"]["content"][0]["text"], "again", "{answer}");
    sleep(Duration::from_millis(500)).await;
    figures.at_most("descriptors afterwards", Usage::of(hub.pid()).descriptors, before.descriptors + 4);
    figures
}
