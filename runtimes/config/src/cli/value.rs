//! Words of the command line to checked values, each with a sentence for a word that does not do.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use orch_core::record::{LogCategory, LogLevel, Mode, RemoteKind};
use orch_core::rpc::Members;
use orch_core::{KeyId, RunId};

/// When a new key stops working.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// So many days from now.
    Days(u16),
    /// It does not.
    Never,
}

pub(super) fn expiry(word: &str) -> Result<Expiry, String> {
    match (word, word.parse()) {
        ("never", _) => Ok(Expiry::Never),
        (_, Ok(days @ 1..=365)) => Ok(Expiry::Days(days)),
        (_, Ok(_) | Err(_)) => Err("expected a number of days from 1 to 365, or never".to_owned()),
    }
}

/// The name of a run.
pub(super) fn run(word: &str) -> Result<String, String> {
    let known = RunId::parse(word).map(|_| word.to_owned());
    known.ok_or_else(|| {
        "expected the name of a run, 12 hexadecimal digits, as `batch list` shows it".to_owned()
    })
}

/// An address to listen on.
pub(super) fn address(word: &str) -> Result<IpAddr, String> {
    if word.eq_ignore_ascii_case("localhost") {
        return Ok(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    let bare = word.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(word);
    bare.parse()
        .map_err(|_| "expected an IP address such as 127.0.0.1, 0.0.0.0 or ::1, or localhost".to_owned())
}

pub(super) fn mode() -> impl TypedValueParser<Value = Mode> {
    PossibleValuesParser::new(["proxy", "batch"])
        .map(|word| if word.eq_ignore_ascii_case("batch") { Mode::Batch } else { Mode::Proxy })
}

pub(super) fn transport() -> impl TypedValueParser<Value = RemoteKind> {
    PossibleValuesParser::new(["http", "sse"])
        .map(|word| if word == "sse" { RemoteKind::Sse } else { RemoteKind::Http })
}

pub(super) fn log_level() -> impl TypedValueParser<Value = LogLevel> {
    let of = |word: &str| LogLevel::ALL.iter().find(|level| level.name().eq_ignore_ascii_case(word)).copied();
    PossibleValuesParser::new(LogLevel::ALL.iter().map(|level| level.name()))
        .map(move |word| of(&word).unwrap_or(LogLevel::Info))
}

pub(super) fn log_category() -> impl TypedValueParser<Value = LogCategory> {
    let of = |word: &str| LogCategory::ALL.iter().find(|it| it.name().eq_ignore_ascii_case(word)).copied();
    PossibleValuesParser::new(LogCategory::ALL.iter().map(|category| category.name()))
        .map(move |word| of(&word).unwrap_or(LogCategory::Error))
}

/// A span of time: a number and its unit.
pub(super) fn span(word: &str) -> Result<Duration, String> {
    let seconds = [("s", 1), ("m", 60), ("h", 60 * 60), ("d", 24 * 60 * 60)];
    let known = seconds.into_iter().find_map(|(unit, seconds)| Some((word.strip_suffix(unit)?, seconds)));
    let count =
        known.and_then(|(digits, seconds)| digits.parse::<u32>().ok().map(|it| u64::from(it) * seconds));
    count.map(Duration::from_secs).ok_or_else(|| "expected a span such as 90s, 15m, 1h or 7d".to_owned())
}

/// A project's name in URLs.
pub(super) fn slug(word: &str) -> Result<String, String> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if word.is_empty() || word.len() > 64 || !word.bytes().all(allowed) {
        return Err("expected 1 to 64 of a-z 0-9 -".to_owned());
    }
    Ok(word.to_owned())
}

/// A name for people: it stands in lists and logs, so it is one short line.
pub(super) fn label(word: &str) -> Result<String, String> {
    let word = word.trim();
    if word.is_empty() || word.chars().count() > 100 || word.contains(char::is_control) {
        return Err("expected 1 to 100 characters on one line".to_owned());
    }
    Ok(word.to_owned())
}

pub(super) fn key_id(word: &str) -> Result<KeyId, String> {
    if word.len() != 12 || !word.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err("expected the 12 letters and digits that `mcp-orch keys list` shows".to_owned());
    }
    Ok(KeyId(word.into()))
}

/// The name in a `Host` header, with or without a port.
pub(super) fn host_name(word: &str) -> Result<String, String> {
    if word.is_empty() || !word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b)) {
        return Err("expected a name such as hub.example.org, without http:// and path".to_owned());
    }
    Ok(word.to_ascii_lowercase())
}

/// What browsers send as `Origin`.
pub(super) fn origin(word: &str) -> Result<String, String> {
    let word = word.strip_suffix('/').unwrap_or(word);
    match word.split_once("://") {
        Some((scheme, host)) if !scheme.is_empty() && host_name(host).is_ok() => {
            Ok(word.to_ascii_lowercase())
        }
        Some(_) | None => {
            Err("expected an origin such as https://app.example.org, without a path".to_owned())
        }
    }
}

/// The URL below which the hub's endpoints are. It is printed into shell commands, so only plain characters do.
pub(super) fn base_url(word: &str) -> Result<String, String> {
    let host = word.strip_prefix("http://").or_else(|| word.strip_prefix("https://"));
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~:/[]%".contains(&b);
    match host {
        Some(host) if !host.is_empty() && !host.starts_with('/') && host.bytes().all(plain) => {
            Ok(word.trim_end_matches('/').to_owned())
        }
        Some(_) | None => {
            Err("expected a URL such as https://hub.example.org or http://127.0.0.1:8000".to_owned())
        }
    }
}

/// The arguments of a tool, kept letter for letter.
pub(super) fn json_object(word: &str) -> Result<String, String> {
    match serde_json::from_str::<Members<'_>>(word) {
        Ok(_) => Ok(word.to_owned()),
        Err(error) => Err(format!("expected a JSON object such as {{\"path\": \"/tmp\"}}: {error}")),
    }
}
