//! R15: JSON that is made to cost more than it weighs is refused, quickly and for no memory.

use tokio::time::Instant;

use crate::figures::{Figures, Scale};
use crate::hub::Hub;
use crate::stage::{Usage, door, server};

/// The longest body.
const BODY: usize = 4 << 20;

pub(crate) async fn prove(scale: Scale) -> Figures {
    let mut figures = Figures::new(scale);
    let (hub, key) = Hub::with(&[("it", server())]).await;
    let door = door(&hub, "it", &key);
    let within =
        |value: &str| format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{{"a":{value}}}}}"#);
    let keys =
        |count: usize| (0..count).map(|number| format!(r#""{number}":0"#)).collect::<Vec<_>>().join(",");
    let bombs: [(&str, u16, Vec<u8>); 8] = [
        (
            "a million nested arrays",
            400,
            within(&format!("{}{}", "[".repeat(1_000_000), "]".repeat(1_000_000))).into(),
        ),
        ("300,000 members", 400, within(&format!("{{{}}}", keys(300_000))).into()),
        ("a string of 64 MiB", 413, within(&format!("\"{}\"", "x".repeat(64 << 20))).into()),
        ("1e999", 400, within(&format!("1e{}", "9".repeat(999))).into()),
        ("a key twice", 400, within(r#"{"a":1,"a":2}"#).into()),
        ("NUL", 400, within("\"\0\"").into()),
        ("a byte order mark", 400, ["\u{feff}", &within("1")].concat().into()),
        ("no UTF-8", 400, [within("\"").as_bytes(), b"\xff\"}}"].concat()),
    ];
    let before = Usage::of(hub.pid()).resident_kib;
    let rounds = scale.of(3, 50);
    let (mut slowest, mut most) = (0.0_f64, 0);
    for _ in 0..rounds {
        for (what, status, bomb) in &bombs {
            let mut request = door.request("POST", &[], "");
            let head = String::from_utf8(std::mem::take(&mut request)).expect("text");
            let head = head.replace("Content-Length: 0", &format!("Content-Length: {}", bomb.len()));
            let mut line = door.connect().await;
            // More than may be sent is refused by its length; the rest is not waited for.
            let sent = bomb.get(..bomb.len().min(BODY)).expect("a part");
            line.send(head.as_bytes()).await;
            let _refused = tokio::io::AsyncWriteExt::write_all(&mut line.stream, sent).await;
            let asked = Instant::now();
            let answer = line.answer().await;
            slowest = slowest.max(asked.elapsed().as_secs_f64() * 1000.0);
            most = most.max(Usage::of(hub.pid()).resident_kib);
            assert_eq!(answer.status, *status, "{what}: {answer:?}");
            let code = answer.json()["error"]["code"].as_i64();
            assert!(matches!(code, Some(-32_700 | -32_600 | -31_004)), "{what}: {answer:?}");
        }
    }
    figures.say(format!(
        "{} bombs of {} kinds, all refused with 400 or 413",
        rounds * bombs.len(),
        bombs.len()
    ));
    figures.time("the slowest refusal", slowest, 20.0, " ms");
    figures.at_most("memory grown by KiB", most.saturating_sub(before), 2 * (BODY as u64 >> 10));
    figures
}
