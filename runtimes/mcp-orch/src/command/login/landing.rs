//! Where a browser lands at the end of a login: a loopback address of this machine (RFC 8252 7.3).
//!
//! It takes one request, the one with the state of the login: whatever else a page or a program sends here is answered
//! with 404 and ends nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use anyhow::{Context, bail};
use orch_core::oauth::Redirected;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// The longest head of a request, in bytes.
const HEAD: usize = 16 * 1024;
/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(5);

const THANKS: &str =
    "The hub has heard of your login. This window can be closed; the command line says how it went.\n";

/// A listener.
pub(crate) struct Landing {
    listener: TcpListener,
    address: String,
    path: String,
}

impl Landing {
    /// Listens at an address such as `http://127.0.0.1:0/callback`.
    pub(crate) async fn at(redirect: &str) -> anyhow::Result<Self> {
        let (host, port, path) = parts(redirect).with_context(|| {
            format!("--redirect {redirect}: expected http://127.0.0.1:PORT/PATH (or localhost, or [::1]), or --paste with it")
        })?;
        let address = match host {
            "[::1]" => IpAddr::V6(Ipv6Addr::LOCALHOST),
            _ => IpAddr::V4(Ipv4Addr::LOCALHOST),
        };
        let listener = TcpListener::bind((address, port)).await;
        let listener =
            listener.with_context(|| format!("--redirect: {host}:{port} cannot be listened at"))?;
        let port = listener.local_addr()?.port();
        Ok(Self { listener, address: format!("http://{host}:{port}{path}"), path: path.to_owned() })
    }

    /// The address itself.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The path and the parameters that a browser came with, at the end of the login with this state.
    pub(crate) async fn come(self, state: &str) -> anyhow::Result<String> {
        loop {
            let (mut guest, _) = self.listener.accept().await?;
            // Browsers open connections that they do not use.
            let Ok(Ok(target)) = timeout(PATIENCE, target(&mut guest)).await else { continue };
            let path = target.split('?').next().unwrap_or_default();
            let ends =
                path == self.path && Redirected::read(&target).is_some_and(|end| end.state() == Some(state));
            let (status, words) =
                if ends { ("200 OK", THANKS) } else { ("404 Not Found", "There is nothing here.\n") };
            let answer = format!(
                "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
                 Referrer-Policy: no-referrer\r\nConnection: close\r\n\r\n{words}",
                words.len()
            );
            let _gone = timeout(PATIENCE, guest.write_all(answer.as_bytes())).await;
            if ends {
                let _gone = timeout(PATIENCE, guest.shutdown()).await;
                return Ok(target);
            }
        }
    }
}

/// Host, port and path of a redirect to this machine.
fn parts(redirect: &str) -> Option<(&str, u16, &str)> {
    let rest = redirect.strip_prefix("http://")?;
    let (authority, _) = rest.split_once('/')?;
    let path = rest.get(authority.len()..)?;
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
        Some(_) | None => (authority, 80),
    };
    let here = matches!(host, "127.0.0.1" | "localhost" | "[::1]");
    (here && !path.contains(['?', '#'])).then_some((host, port, path))
}

/// What the request of a guest is for.
async fn target(guest: &mut TcpStream) -> anyhow::Result<String> {
    let mut head = Vec::new();
    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
        if head.len() > HEAD || guest.read_buf(&mut head).await? == 0 {
            bail!("no request")
        }
    }
    let head = String::from_utf8(head)?;
    let mut words = head.lines().next().unwrap_or_default().split(' ');
    match (words.next(), words.next()) {
        (Some("GET"), Some(target)) => Ok(target.to_owned()),
        _ => Ok(String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_landing_is_on_this_machine() {
        for (redirect, expected) in [
            ("http://127.0.0.1:0/callback", Some(("127.0.0.1", 0, "/callback"))),
            ("http://localhost:33418/", Some(("localhost", 33418, "/"))),
            ("http://[::1]:7/x/y", Some(("[::1]", 7, "/x/y"))),
            ("http://localhost/cb", Some(("localhost", 80, "/cb"))),
            ("https://127.0.0.1:7/", None),
            ("http://127.0.0.1:7", None),
            ("http://127.0.0.1:70000/", None),
            ("http://127.0.0.1:7/?x=1", None),
            ("http://evil.example:7/", None),
            ("http://localhost@evil.example:7/", None),
        ] {
            assert_eq!(parts(redirect), expected, "{redirect}");
        }
    }

    async fn get(address: &str, target: &str) -> String {
        let host = address.strip_prefix("http://").unwrap().split('/').next().unwrap();
        let mut guest = TcpStream::connect(host).await.unwrap();
        guest.write_all(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        guest.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn only_the_end_of_this_login_is_taken() {
        let landing = Landing::at("http://127.0.0.1:0/callback").await.unwrap();
        let address = landing.address().to_owned();
        let guests = async {
            for other in
                ["/favicon.ico", "/callback?code=x&state=other", "/other?code=x&state=s", "/callback"]
            {
                assert!(get(&address, other).await.starts_with("HTTP/1.1 404"), "{other}");
            }
            get(&address, "/callback?code=c&state=s").await
        };
        let (come, last) = tokio::join!(landing.come("s"), guests);
        assert_eq!(come.unwrap(), "/callback?code=c&state=s");
        assert!(last.starts_with("HTTP/1.1 200"), "{last}");
    }
}
