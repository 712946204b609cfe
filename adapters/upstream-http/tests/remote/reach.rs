//! Who is reached, and what is said of those who are not.

use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use orch_core::Limits;
use orch_core::ports::upstream::{CloseReason, LaunchSpec};
use orch_core::record::{RemoteKind, Transport};
use orch_upstream_http::{Allowed, HttpUpstreams};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::json;
use tokio_rustls::TlsAcceptor;

use crate::server::{Reply, Server, plain};
use crate::stage::{Event, Stage, launch, note, of_kind, request};

#[test]
fn a_link_is_open_when_its_address_is_known_and_has_passed() {
    let stage = Stage::new();
    let server = Server::start(stage.runtime.handle(), plain);
    let link = stage.open(&launch(&server.url("/mcp")));
    assert_eq!(link.event(), Event::Opened(None));
    assert_eq!(link.event_within(Duration::from_millis(50)), None);
    assert_eq!(server.connections(), 0, "nothing is sent before there is something to say");
}

#[test]
fn nothing_on_this_machine_or_network_is_reached_without_a_list() {
    let stage = Stage::with(&[], None);
    let canary = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = canary.local_addr().unwrap().port();
    for host in
        ["127.0.0.1", "localhost", "[::1]", "[::ffff:7f00:1]", "0.0.0.0", "10.0.0.1", "169.254.169.254"]
    {
        for (kind, scheme) in [(RemoteKind::Http, "http"), (RemoteKind::Sse, "https")] {
            let words =
                stage.refusal(&of_kind(kind, &format!("{scheme}://{host}:{port}/s3cret?key=s3cret"), &[]));
            assert!(words.contains(" is not reached: ") && !words.contains("s3cret"), "{words}");
        }
    }
    canary.set_nonblocking(true).unwrap();
    assert!(canary.accept().is_err(), "somebody connected");
}

#[test]
fn a_list_with_everything_on_it_opens_no_metadata_service() {
    let words = Stage::with(&["0.0.0.0/0", "::/0"], None).refusal(&launch("http://169.254.169.254/latest"));
    assert!(
        words.ends_with("169.254.169.254 is a link-local or metadata address, and no list allows that"),
        "{words}"
    );
}

#[test]
fn a_name_that_does_not_exist_is_said_to_be_unknown() {
    let words = Stage::new().refusal(&launch("https://no-such-host.invalid/mcp"));
    assert!(words.starts_with("no-such-host.invalid "), "{words}");
    assert!(
        words.contains("is the URL right?") || words.contains("is the name server reachable?"),
        "{words}"
    );
}

#[test]
fn a_refused_connection_is_named_with_the_next_step_and_nothing_was_sent() {
    let stage = Stage::new();
    let port = free_port();
    let mut link = stage.open(&launch(&format!("http://127.0.0.1:{port}/mcp?key=s3cret")));
    link.send(&request(1, "tools/list", json!({})));
    let (code, message, data) = link.error(1);
    assert_eq!(code, -31_001);
    let cause = format!("connection refused by 127.0.0.1:{port}: is the server running?");
    assert_eq!(message, format!("server far is not available: {cause}"));
    assert_eq!(data, json!({ "retryable": true }));
    let old = stage.refusal(&of_kind(RemoteKind::Sse, &format!("http://127.0.0.1:{port}/sse"), &[]));
    assert_eq!(old, cause);
}

#[test]
fn a_server_that_comes_back_is_reached_again_over_the_same_link() {
    let stage = Stage::new();
    let port = free_port();
    let mut link = stage.open(&launch(&format!("http://127.0.0.1:{port}/mcp")));
    link.send(&request(1, "tools/list", json!({})));
    assert_eq!(link.error(1).0, -31_001);
    let server = Server::start(stage.runtime.handle(), plain);
    let mut link = stage.open(&launch(&server.url("/mcp")));
    link.send(&request(2, "tools/list", json!({})));
    assert_eq!(link.message()["result"]["method"], "tools/list");
}

#[test]
fn a_program_is_not_for_this_adapter() {
    let mut spec: LaunchSpec = launch("http://127.0.0.1/");
    spec.spec.transport =
        Transport::Stdio { command: "cat".into(), args: Vec::new(), env: [].into(), cwd: None };
    assert_eq!(Stage::new().refusal(&spec), "this is a program, not a remote server");
}

#[test]
fn a_server_with_a_certificate_of_a_known_authority_is_reached_and_another_is_not() {
    let (authority, acceptor) = authority("localhost");
    let stage = Stage::with(&["localhost"], Some(&authority));
    let server = Server::secure(stage.runtime.handle(), Some(acceptor), plain);
    let url = |host: &str| format!("https://{host}:{}/mcp", server.address.port());
    let mut link = stage.open(&launch(&url("localhost")));
    link.send(&request(1, "ping", json!({})));
    assert_eq!(link.message()["result"]["method"], "ping");
    assert_eq!(server.seen().header("host"), Some(&*format!("localhost:{}", server.address.port())));

    let mut stranger = Stage::with(&["localhost"], None).open(&launch(&url("localhost")));
    stranger.send(&request(1, "ping", json!({})));
    let (code, words, _) = stranger.error(1);
    assert!(code == -31_001 && words.contains("an authority that is not trusted here"), "{words}");

    let stage = Stage::with(&["127.0.0.1"], Some(&authority));
    let mut misnamed = stage.open(&launch(&url("127.0.0.1")));
    misnamed.send(&request(1, "ping", json!({})));
    assert!(misnamed.error(1).1.contains("TLS with 127.0.0.1:"));
    assert!(server.seen_within(Duration::from_millis(50)).is_none(), "no request to whom is not trusted");
}

#[test]
fn a_server_without_tls_where_tls_is_expected_is_told_apart() {
    let stage = Stage::new();
    let server = Server::start(stage.runtime.handle(), plain);
    let mut link = stage.open(&launch(&format!("https://{}/mcp", server.address)));
    link.send(&request(1, "ping", json!({})));
    let words = link.error(1).1;
    assert!(words.contains("it does not speak TLS: is it http://?"), "{words}");
}

#[test]
fn own_authorities_that_cannot_be_read_are_refused_at_once() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for (pem, words) in [
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "not usable"),
        ("not PEM at all", "no certificate in PEM"),
        ("", "no certificate in PEM"),
    ] {
        let (allowed, limits) = (Allowed::default(), Limits::default());
        let refused = HttpUpstreams::new(allowed, Some(pem.as_bytes()), limits, runtime.handle().clone());
        let said = refused.unwrap_err().to_string();
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn a_bound_that_a_server_hits_is_named() {
    let short = Duration::from_millis(50);
    let limits = Limits { remote_tls: short, remote_notice: short, ..Limits::default() };
    let stage = Stage::within(limits);
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut link = stage.open(&launch(&format!("https://{}/mcp", mute.local_addr().unwrap())));
    link.send(&request(1, "ping", json!({})));
    let words = link.error(1).1;
    assert!(words.contains("did not finish the TLS handshake within 0.05 s (limit remote_tls)"), "{words}");

    let server = Server::start(stage.runtime.handle(), |_| Reply::Hang);
    let link = stage.open(&launch(&server.url("/mcp")));
    link.send(&note("notifications/roots/list_changed", json!({})));
    let said = link.line();
    assert!(said.contains("limit remote_notice"), "{said}");
}

#[test]
fn every_link_and_connection_ends_before_the_adapter_is_drained() {
    let stage = Stage::new();
    let server = Server::start(stage.runtime.handle(), plain);
    let mut link = stage.open(&launch(&server.url("/mcp")));
    link.send(&request(1, "ping", json!({})));
    link.message();
    link.end = None;
    assert_eq!(link.end(), CloseReason::Stopped);
    let drained = async { tokio::time::timeout(Duration::from_secs(10), stage.upstreams.drained()).await };
    stage.runtime.block_on(drained).unwrap();
}

/// A port of loopback that nobody listens at.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    port
}

/// An authority in PEM, and a server with a certificate of it for `name`.
fn authority(name: &str) -> (String, TlsAcceptor) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let root = params.self_signed(&key).unwrap();
    let issuer = Issuer::new(params, key);
    let own_key = KeyPair::generate().unwrap();
    let own = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&own_key, &issuer).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(own_key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.der().clone()], key)
        .unwrap();
    (root.pem(), TlsAcceptor::from(Arc::new(config)))
}
