//! What waits to be written, in bounds: of each server so much a second, of all together so much at once. Whatever is
//! dropped is counted, and the count is an entry.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use orch_core::record::{LogCategory, LogEntry, LogLevel, LogSource};
use orch_core::shard::Report;
use orch_core::{Limits, LogId, ProjectId, ServerId, Timestamp};

use crate::secrets::Secrets;

/// The span that a server's rate is measured in.
const WINDOW: Duration = Duration::from_secs(1);
/// A flood that goes on is counted in one entry for so long.
const FLOOD: Duration = Duration::from_secs(10);

/// An entry to be.
#[derive(Debug)]
pub(crate) struct Draft {
    at: Timestamp,
    server_id: Option<ServerId>,
    report: Report,
    secrets: Arc<Secrets>,
}

impl Draft {
    /// The entry, without secrets and in its bounds.
    pub(crate) fn finish(
        self,
        project: ProjectId,
        bytes: usize,
        id: impl FnOnce(Timestamp) -> LogId,
    ) -> LogEntry {
        let Self { at, server_id, report, secrets } = self;
        LogEntry {
            id: id(at),
            project,
            server_id,
            server: report.server,
            timestamp: at,
            level: report.level,
            category: report.category,
            source: report.source,
            message: secrets.hide_and_cut(report.message, bytes),
            details: report.details.map(|details| secrets.hide(details)),
        }
    }
}

/// How soon what waits should be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Haste {
    /// With what comes until [`Limits::log_flush`].
    None,
    /// Now: there may soon be no room.
    Some,
}

/// See the file.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    waiting: Vec<Draft>,
    bytes: usize,
    /// Entries that there was no room for, or that could not be written.
    lost: u64,
    servers: HashMap<String, Known>,
}

/// What is known of a server.
#[derive(Debug, Default)]
struct Known {
    secrets: Arc<Secrets>,
    window: Timestamp,
    /// Bytes of entries in this window.
    bytes: usize,
    flood: Option<Flood>,
}

/// What is dropped of one server.
#[derive(Debug)]
struct Flood {
    bytes: u64,
    first: Timestamp,
    last: Timestamp,
}

impl Known {
    fn drop_bytes(&mut self, bytes: u64, now: Timestamp) {
        let flood = self.flood.get_or_insert(Flood { bytes: 0, first: now, last: now });
        flood.bytes = flood.bytes.saturating_add(bytes);
        flood.last = now;
    }
}

impl Buffer {
    /// These are secrets of a server, beside those that are known already: what it wrote before may come late.
    pub(crate) fn know(&mut self, server: &str, secrets: &Secrets) {
        let known = self.servers.entry(server.to_owned()).or_default();
        known.secrets = Arc::new(known.secrets.and(secrets));
    }

    /// Takes something in, or drops it.
    pub(crate) fn put(
        &mut self,
        server_id: Option<ServerId>,
        report: Report,
        now: Timestamp,
        limits: &Limits,
    ) -> Haste {
        let bytes = weight(&report, limits);
        if !self.servers.contains_key(&report.server) {
            self.servers.insert(report.server.clone(), Known::default());
        }
        let Some(known) = self.servers.get_mut(&report.server) else { return Haste::None };
        if now.since(known.window) >= WINDOW {
            (known.window, known.bytes) = (now, 0);
        }
        if known.bytes.saturating_add(bytes) > limits.log_rate_bytes {
            known.drop_bytes(bytes as u64, now);
            return Haste::None;
        }
        if self.bytes.saturating_add(bytes) > limits.log_buffer_bytes {
            self.lost = self.lost.saturating_add(1);
            return Haste::Some;
        }
        known.bytes = known.bytes.saturating_add(bytes);
        self.bytes = self.bytes.saturating_add(bytes);
        let secrets = Arc::clone(&known.secrets);
        self.waiting.push(Draft { at: now, server_id, report, secrets });
        if self.bytes >= limits.log_buffer_bytes / 2 { Haste::Some } else { Haste::None }
    }

    /// Bytes of a server's error output were dropped before they came here.
    pub(crate) fn dropped(&mut self, server: &str, bytes: u64, now: Timestamp) {
        self.servers.entry(server.to_owned()).or_default().drop_bytes(bytes, now);
    }

    /// Entries could not be written.
    pub(crate) fn lost(&mut self, entries: u64) {
        self.lost = self.lost.saturating_add(entries);
    }

    /// Whether there will be something to write though nothing more comes.
    pub(crate) fn counts(&self) -> bool {
        self.lost > 0 || self.servers.values().any(|known| known.flood.is_some())
    }

    /// Takes everything out, with the counts of what was dropped. `all` is also what goes on to be counted. The second
    /// is how many entries could not be written before.
    pub(crate) fn take(&mut self, now: Timestamp, all: bool, limits: &Limits) -> (Vec<Draft>, u64) {
        let mut taken = std::mem::take(&mut self.waiting);
        self.bytes = 0;
        for (server, known) in &mut self.servers {
            let is_over =
                |flood: &mut Flood| all || now.since(flood.last) >= WINDOW || now.since(flood.first) >= FLOOD;
            if let Some(flood) = known.flood.take_if(is_over) {
                let words = format!(
                    "dropped {} bytes of what it said: more than log_rate_bytes ({}) a second",
                    flood.bytes, limits.log_rate_bytes
                );
                taken.push(count(flood.last, server, words, ("dropped_bytes", flood.bytes)));
            }
        }
        let lost = std::mem::take(&mut self.lost);
        if lost > 0 {
            let words = format!(
                "dropped {lost} entries: they could not be written, or there was no room for them (limit \
                 log_buffer_bytes)"
            );
            taken.push(count(now, "", words, ("dropped_entries", lost)));
        }
        (taken, lost)
    }
}

fn count(at: Timestamp, server: &str, message: String, (name, number): (&str, u64)) -> Draft {
    let report = Report {
        server: server.to_owned(),
        level: LogLevel::Warning,
        category: LogCategory::StatusCheck,
        source: LogSource::Hub,
        message,
        details: Some(format!("{{\"{name}\":{number}}}")),
    };
    Draft { at, server_id: None, report, secrets: Arc::default() }
}

fn weight(report: &Report, limits: &Limits) -> usize {
    let details = report.details.as_ref().map_or(0, String::len);
    LogEntry::weight_of(report.server.len(), report.message.len().min(limits.log_entry_bytes), details)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(server: &str, message: String) -> Report {
        Report {
            server: server.to_owned(),
            level: LogLevel::Info,
            category: LogCategory::StatusCheck,
            source: LogSource::Stderr,
            message,
            details: None,
        }
    }

    fn messages((drafts, _): (Vec<Draft>, u64)) -> Vec<String> {
        drafts.into_iter().map(|draft| draft.report.message).collect()
    }

    /// Entries of 100 bytes with one letter for a server and two for the message.
    fn limits(rate: usize, buffer: usize) -> Limits {
        Limits { log_rate_bytes: rate, log_buffer_bytes: buffer, ..Limits::default() }
    }

    #[test]
    fn a_server_is_heard_in_measure_and_what_is_dropped_is_counted_once() {
        let limits = limits(1_000, 1 << 20);
        let mut buffer = Buffer::default();
        let weight = weight(&report("a", "ab".into()), &limits);
        for ms in 0..3_000 {
            buffer.put(None, report("a", "ab".into()), Timestamp(ms), &limits);
            buffer.put(None, report("b", "x".into()), Timestamp(ms / 100 * 100), &limits);
        }
        let taken = messages(buffer.take(Timestamp(3_000), false, &limits));
        let heard = taken.iter().filter(|it| *it == "ab").count();
        assert_eq!(heard, 3 * (1_000 / weight), "in each of three seconds");
        assert!(!taken.iter().any(|it| it.starts_with("dropped")), "the flood may go on");
        assert!(buffer.counts());
        let later = buffer.take(Timestamp(4_100), false, &limits).0;
        let [a, b] = later.as_slice() else { panic!("{later:?}") };
        let of_a = if a.report.server == "a" { a } else { b };
        let dropped = (3_000 - heard) * weight;
        assert_eq!(
            of_a.report.message,
            format!("dropped {dropped} bytes of what it said: more than log_rate_bytes (1000) a second")
        );
        assert!(!buffer.counts());
    }

    #[test]
    fn a_flood_without_an_end_is_counted_all_the_same() {
        let limits = limits(1_000, 1 << 20);
        let mut buffer = Buffer::default();
        let mut counted = 0;
        for second in 0..25_u64 {
            buffer.dropped("a", 1_000, Timestamp(second * 1_000));
            buffer.dropped("a", 1_000, Timestamp(second * 1_000 + 900));
            counted += buffer.take(Timestamp(second * 1_000 + 950), false, &limits).0.len();
        }
        assert_eq!(counted, 2);
        assert_eq!(buffer.take(Timestamp(25_000), true, &limits).0.len(), 1, "the rest at the end");
    }

    #[test]
    fn what_waits_is_bounded_and_what_has_no_room_is_counted() {
        let limits = limits(1 << 20, 1_000);
        let mut buffer = Buffer::default();
        let weight = weight(&report("a", "ab".into()), &limits);
        let haste: Vec<Haste> =
            (0..20).map(|_| buffer.put(None, report("a", "ab".into()), Timestamp(1), &limits)).collect();
        let room = 1_000 / weight;
        assert_eq!(haste.iter().filter(|it| **it == Haste::None).count(), room / 2);
        let (taken, lost) = buffer.take(Timestamp(2), false, &limits);
        assert_eq!((taken.len(), lost), (room + 1, (20 - room) as u64));
        assert!(taken.last().unwrap().report.message.contains("limit log_buffer_bytes"));
        assert_eq!(buffer.take(Timestamp(3), true, &limits).0.len(), 0, "there is room again");
    }

    #[test]
    fn an_entry_is_cut_and_has_no_secrets_of_now_or_before() {
        use orch_core::record::{RemoteKind, ServerSpec, Transport};
        let secrets = |name: &str| {
            let (kind, url) = (RemoteKind::Http, "https://a.example/".to_owned());
            let headers = [("X-Key".to_owned(), format!("${{{name}}}"))].into();
            let spec = ServerSpec::new(Transport::Remote { kind, url, headers });
            Secrets::of(&spec, |name| Some(format!("secret-{name}")))
        };
        let limits = Limits { log_entry_bytes: 32, ..Limits::default() };
        let mut buffer = Buffer::default();
        buffer.know("a", &secrets("OLD"));
        buffer.know("a", &secrets("NEW"));
        let mut said = report("a", "a secret-OLD, a secret-NEW, and so on for ever".into());
        said.details = Some(r#"{"logger":"secret-NEW"}"#.into());
        buffer.put(None, said, Timestamp(5), &limits);
        let draft = buffer.take(Timestamp(5), false, &limits).0.remove(0);
        let project = ProjectId::parse("00000000-0000-0000-0000-000000000001").unwrap();
        let entry = draft.finish(project, limits.log_entry_bytes, |_| LogId::FIRST);
        assert_eq!(entry.message, "a [secret], a [secret], and so o");
        assert_eq!(entry.details.as_deref(), Some(r#"{"logger":"[secret]"}"#));
        assert_eq!(entry.timestamp, Timestamp(5));
    }
}
