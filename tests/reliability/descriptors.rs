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
use crate::stage::{Usage, door, order, server};

const FEW: u32 = 256;

pub(crate) async fn prove(scale: Scale) -> Figures {
    let mut figures = Figures::new(scale);
    let home = Home::with(&[("it", server()), ("other", server())]);
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
    let call = door.call("echo", &json!({ "text": "well" }));
    line.exchange(&call).await;
    let before = Usage::of(hub.pid());
    let (mut held, mut served, mut turned_away) = (Vec::new(), 0, 0);
    for _ in 0..2 * FEW {
        let mut stream = TcpStream::connect(&door.address).await.expect("a connection");
        let asked = stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        let mut status = [0; 12];
        let read =
            timeout(Duration::from_secs(5), stream.read_exact(&mut status)).await.expect("an answer in time");
        assert!(asked.is_ok() && read.is_ok(), "cut without a word");
        match &status {
            b"HTTP/1.1 200" => served += 1,
            b"HTTP/1.1 503" => turned_away += 1,
            other => panic!("{other:?}"),
        }
        held.push(stream);
    }
    let full = Usage::of(hub.pid());
    let answer = line.exchange(&call).await.json();
    assert_eq!(answer["result"]["content"][0]["text"], "well", "{answer}");
    let opened = order(&hub, "other", "Start").await;
    assert_eq!(opened["Server"]["state"], "running", "a server can be started all the same: {opened}");
    let span = Duration::from_secs(scale.of(1, 5));
    sleep(span).await;
    let ticks = Usage::of(hub.pid()).ticks - full.ticks;
    let percent = ticks * 100 / (span.as_secs() * rustix::param::clock_ticks_per_second()).max(1);
    figures.say(format!("{} connections to a hub with {FEW} descriptors", 2 * FEW));
    figures.say(format!("{served} served, and {turned_away} turned away with 503"));
    figures.exactly("connections without an answer:", 2 * FEW - served - turned_away, 0);
    assert!(served > FEW / 3 && turned_away > 0, "{served} served");
    figures.at_most("descriptors", full.descriptors, FEW as usize);
    figures.at_most("percent of a core while it is full", percent, 20);
    drop(held);
    let answer = door.ask("echo", &json!({ "text": "again" })).await.json();
    assert_eq!(answer["result"]["content"][0]["text"], "again", "{answer}");
    sleep(Duration::from_millis(500)).await;
    figures.at_most("descriptors afterwards", Usage::of(hub.pid()).descriptors, before.descriptors + 4);
    figures
}
