//! The guard against a table of spellings, and against its laws.

use super::*;
use proptest::prelude::*;
use std::net::{Ipv4Addr, Ipv6Addr};

const PUBLIC: &str = "93.184.216.34";

/// What becomes of a URL whose host, where it is a name, resolves to `resolved`.
fn outcome(url: &str, resolved: &[&str], allowed: &[&str]) -> &'static str {
    let guard = Guard { allowed: Allowed::parse(allowed.iter().copied()).unwrap() };
    let verdict = read(url).and_then(|(_, to)| {
        let addresses = match to.host {
            Host::Ipv4(address) => vec![address.into()],
            Host::Ipv6(address) => vec![address.into()],
            Host::Domain(_) => resolved.iter().map(|it| it.parse().unwrap()).collect(),
        };
        guard.check(&to, &addresses, |address| address == IpAddr::from([93, 184, 216, 99]))
    });
    match verdict {
        Ok(()) => "reached",
        Err(Refusal::Blocked { .. }) => "blocked",
        Err(Refusal::Never { .. }) => "never",
        Err(Refusal::Own { .. }) => "own",
        Err(Refusal::Plain { .. }) => "plain",
        Err(Refusal::Port { .. }) => "port",
        Err(Refusal::Spelling { .. }) => "spelling",
        Err(Refusal::Url(_)) => "url",
    }
}

/// Spellings of hosts, each with what becomes of it.
const SPELLINGS: &str = include_str!("spellings.txt");

#[test]
fn every_spelling_of_a_url_is_reached_or_refused_as_the_table_says() {
    let (mut rows, mut wrong) = (0, Vec::new());
    for line in SPELLINGS.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (expected, url) = line.split_once(' ').unwrap();
        let url = url.replace("\\t", "\t").replace("\\n", "\n").replace("\\s", " ");
        let found = outcome(&url, &[PUBLIC], &[]);
        if found != expected {
            wrong.push(format!("{found}, not {expected}: {url}"));
        }
        rows += 1;
    }
    assert_eq!(wrong, [""; 0]);
    assert!(rows >= 120, "{rows} spellings");
    let long = format!("https://example.org/{}", "a".repeat(2048));
    assert_eq!(outcome(&long, &[PUBLIC], &[]), "url");
}

#[test]
fn one_bad_answer_of_a_name_server_spoils_all() {
    let resolved = |answers: &[&str]| outcome("https://example.org/mcp", answers, &[]);
    assert_eq!(resolved(&[PUBLIC, "2606:2800:220:1::1"]), "reached");
    assert_eq!(resolved(&[PUBLIC, "10.0.0.1"]), "blocked");
    assert_eq!(resolved(&[PUBLIC, "::ffff:127.0.0.1"]), "blocked");
    assert_eq!(resolved(&["64:ff9b::a9fe:a9fe", PUBLIC]), "never");
    assert_eq!(resolved(&[PUBLIC, "93.184.216.99"]), "own");
}

#[test]
fn the_list_opens_what_it_names_and_nothing_else() {
    for (url, resolved, allowed, expected) in [
        ("http://localhost:3000/mcp", "127.0.0.1", "localhost:3000", "reached"),
        ("http://localhost:3001/mcp", "127.0.0.1", "localhost:3000", "blocked"),
        ("http://localhost:3000/mcp", "127.0.0.1", "127.0.0.0/8", "reached"),
        ("http://127.0.0.1:3000/mcp", "", "127.0.0.1", "reached"),
        ("http://[::1]:3000/mcp", "", "[::1]:3000", "reached"),
        ("http://127.0.0.1:3000/mcp", "", "localhost", "blocked"),
        ("https://intranet/mcp", "10.0.0.7", "intranet", "reached"),
        ("https://intranet/mcp", "10.0.0.7", "10.0.0.0/8", "reached"),
        ("https://intranet/mcp", "10.0.0.7", "192.168.0.0/16", "blocked"),
        ("http://example.org/mcp", PUBLIC, "example.org", "reached"),
        ("https://example.org:8443/mcp", PUBLIC, "example.org:8443", "reached"),
        ("https://example.org:8444/mcp", PUBLIC, "example.org:8443", "port"),
        ("https://hub.example/mcp", "93.184.216.99", "hub.example", "reached"),
    ] {
        assert_eq!(outcome(url, &[resolved], &[allowed]), expected, "{url} with {allowed}");
    }
}

#[test]
fn no_list_opens_metadata_or_what_is_no_host() {
    for address in [
        "169.254.169.254",
        "169.254.170.2",
        "100.100.100.200",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "[::ffff:a9fe:a9fe]",
        "[2002:a9fe:a9fe::]",
        "0.0.0.0",
        "255.255.255.255",
        "224.0.0.1",
        "[::]",
        "[ff02::1]",
    ] {
        let url = format!("http://{address}/latest/meta-data");
        assert_eq!(outcome(&url, &[], &["0.0.0.0/0", "::/0"]), "never", "{address}");
    }
    let named =
        outcome("http://metadata.internal/", &["169.254.169.254"], &["metadata.internal", "0.0.0.0/0"]);
    assert_eq!(named, "never");
}

#[test]
fn a_refusal_says_the_next_step_and_nothing_of_the_path() {
    for (url, words) in [
        (
            "https://10.0.0.7/mcp?key=s3cret",
            "10.0.0.7:443 is not reached: 10.0.0.7 is a private address; if that is meant, start the hub with --allow-upstream 10.0.0.7:443",
        ),
        ("http://example.org/s3cret", "example.org:80 is not reached without TLS: use https://, or if that"),
        ("https://user:s3cret@example.org/", "put them into `headers`"),
        ("https://0x7f.1/s3cret", "write it as 127.0.0.1"),
    ] {
        let refusal = read(url).and_then(|(_, to)| {
            let addresses: Vec<IpAddr> =
                if let Host::Ipv4(it) = to.host { vec![it.into()] } else { vec![PUBLIC.parse().unwrap()] };
            Guard::default().check(&to, &addresses, |_| false)
        });
        let said = refusal.unwrap_err().to_string();
        assert!(said.contains(words) && !said.contains("s3cret"), "{url}: {said}");
    }
}

/// The same rule as the table's, from the standard library's predicates and the registries' text.
fn is_special(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_multicast()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 198 && (b == 18 || b == 19))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
}

fn near_a_boundary() -> impl Strategy<Value = Ipv4Addr> {
    let edges = prop::sample::select(vec![
        0x0a00_0000_u32,
        0x0b00_0000,
        0x6440_0000,
        0x6480_0000,
        0x7f00_0000,
        0x8000_0000,
        0xa9fe_0000,
        0xa9ff_0000,
        0xac10_0000,
        0xac20_0000,
        0xc000_0000,
        0xc000_0100,
        0xc000_0200,
        0xc000_0300,
        0xc058_6300,
        0xc058_6400,
        0xc0a8_0000,
        0xc0a9_0000,
        0xc612_0000,
        0xc614_0000,
        0xc633_6400,
        0xc633_6500,
        0xcb00_7100,
        0xcb00_7200,
        0xe000_0000,
        0xf000_0000,
        0x0100_0000,
    ]);
    prop_oneof![
        any::<u32>().prop_map(Ipv4Addr::from_bits),
        (edges, -3_i32..3).prop_map(|(edge, step)| Ipv4Addr::from_bits(edge.wrapping_add_signed(step))),
    ]
}

proptest! {
    #[test]
    fn an_address_is_public_exactly_when_no_registry_has_it(address in near_a_boundary()) {
        prop_assert_eq!(Class::of(address.into()).is_some(), is_special(address));
    }

    #[test]
    fn an_address_within_an_address_is_judged_by_the_inner_one(inner in near_a_boundary()) {
        let bits = u128::from(inner.to_bits());
        let outer = [
            (0xffff_u128 << 32) | bits,
            (0x0064_ff9b_u128 << 96) | bits,
            (0x2002_u128 << 112) | (bits << 80),
            (0x2001_0000_u128 << 96) | (0x0808_0808 << 64) | (!bits & 0xffff_ffff),
            (0x2001_0000_u128 << 96) | (bits << 64) | u128::from(!0x0808_0808_u32),
        ];
        for outer in outer.map(Ipv6Addr::from_bits) {
            prop_assert_eq!(Class::of(outer.into()), Class::of(inner.into()), "{}", outer);
        }
    }

    #[test]
    fn nothing_special_passes_without_a_list_whatever_else_a_name_resolves_to(
        inner in near_a_boundary(), others in proptest::collection::vec(near_a_boundary(), 0..4), at in 0_usize..5,
    ) {
        let mut addresses: Vec<IpAddr> = others.into_iter().map(IpAddr::from).collect();
        addresses.insert(at.min(addresses.len()), inner.into());
        let to = read("https://example.org/").unwrap().1;
        let passed = Guard::default().check(&to, &addresses, |_| false).is_ok();
        prop_assert_eq!(passed, addresses.iter().all(|it| Class::of(*it).is_none()));
    }

    #[test]
    fn whatever_is_read_is_read_alike_when_it_is_printed(text in "https?://[a-zA-Z0-9.:%@\\[\\]x-]{1,24}(/[a-z?#]{0,4})?") {
        if let Ok((url, to)) = read(&text) {
            let (again, same) = read(url.as_str()).unwrap();
            prop_assert_eq!((again, same), (url, to));
        }
    }
}
