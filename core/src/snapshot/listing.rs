//! A list that is ready to be sent: its pages as buffers, its cursors signed.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::Instance;
use crate::Rejection;
use crate::mcp::{ListKind, Revision, plain_tool};
use crate::record::Definition;

/// The four lists of an endpoint.
#[derive(Debug)]
pub(super) struct Lists([Listing; 4]);

impl Lists {
    /// Prepares each list from its entries.
    pub(super) fn build<'a>(entries: impl Fn(ListKind) -> &'a [Definition], instance: &Instance) -> Self {
        Self(ListKind::ALL.map(|kind| Listing::build(kind, entries(kind), instance)))
    }

    pub(super) fn of(&self, kind: ListKind) -> &Listing {
        let [tools, prompts, resources, templates] = &self.0;
        match kind {
            ListKind::Prompts => prompts,
            ListKind::Resources => resources,
            ListKind::Templates => templates,
            ListKind::Tools => tools,
        }
    }
}

/// One list of an endpoint.
#[derive(Debug)]
pub struct Listing {
    pages: Vec<Page>,
    /// The page that starts with the entry of this name.
    by_cursor: BTreeMap<String, usize>,
    entries: usize,
}

/// One page.
#[derive(Debug, Clone)]
pub struct Page {
    /// `"tools":[…]`, with `,"nextCursor":"…"` where there is a next page: the inside of a result object.
    pub members: Bytes,
    /// The same for clients of the 2025 eras, where they get something else.
    plain: Option<Bytes>,
}

impl Page {
    /// The inside of a result object, for a client of a revision.
    pub fn members(&self, client: Revision) -> &Bytes {
        self.plain.as_ref().filter(|_| !client.is_modern()).unwrap_or(&self.members)
    }
}

impl Listing {
    /// Prepares the pages of `entries`, in their order.
    pub fn build(kind: ListKind, entries: &[Definition], instance: &Instance) -> Self {
        Self::paged(kind, entries, instance.limits.page_entries, &instance.cursor_key)
    }

    fn paged(kind: ListKind, entries: &[Definition], page_entries: usize, cursor_key: &[u8; 32]) -> Self {
        let chunks: Vec<&[Definition]> = entries.chunks(page_entries.max(1)).collect();
        let mut starts: BTreeMap<&str, u32> = BTreeMap::new();
        let cursors: Vec<String> = chunks
            .iter()
            .map(|chunk| {
                let first = chunk.first().map_or("", |first| first.name.as_str());
                // Two servers may list the same template: the first entries of two pages may be named alike.
                let before = starts.entry(first).and_modify(|before| *before += 1).or_insert(0);
                cursor(kind, first, *before, cursor_key)
            })
            .collect();
        let mut pages: Vec<Page> = chunks
            .iter()
            .zip(cursors.iter().skip(1).map(Some).chain([None]))
            .map(|(chunk, next)| page(kind, chunk, next.map(String::as_str)))
            .collect();
        if pages.is_empty() {
            pages.push(page(kind, &[], None));
        }
        let by_cursor = cursors.into_iter().enumerate().skip(1).map(|(n, cursor)| (cursor, n)).collect();
        Self { pages, by_cursor, entries: entries.len() }
    }

    /// The first page, or the one of a cursor that this list has given out. A cursor of an older list whose
    /// pages were cut elsewhere is refused: the client starts again and misses nothing.
    pub fn page(&self, cursor: Option<&str>) -> Result<&Page, Rejection> {
        let at = match cursor {
            None => 0,
            Some(cursor) => *self.by_cursor.get(cursor).ok_or(Rejection::InvalidCursor)?,
        };
        self.pages.get(at).ok_or(Rejection::InvalidCursor)
    }

    /// How many entries the list has.
    pub fn len(&self) -> usize {
        self.entries
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.entries == 0
    }
}

fn page(kind: ListKind, entries: &[Definition], next: Option<&str>) -> Page {
    let own: Vec<&[u8]> = entries.iter().map(|entry| entry.json.as_bytes()).collect();
    let plain = |entry: &Definition| plain_tool(&entry.json).filter(|_| kind == ListKind::Tools);
    let plain: Vec<Option<Vec<u8>>> = entries.iter().map(plain).collect();
    let plain = plain.iter().any(Option::is_some).then(|| {
        let entries = plain.iter().zip(&own).map(|(plain, own)| plain.as_deref().unwrap_or(own));
        written(kind, &entries.collect::<Vec<_>>(), next)
    });
    Page { members: written(kind, &own, next), plain }
}

fn written(kind: ListKind, entries: &[&[u8]], next: Option<&str>) -> Bytes {
    let size: usize = entries.iter().map(|entry| entry.len().saturating_add(1)).sum();
    let mut out = Vec::with_capacity(size.saturating_add(96));
    out.push(b'"');
    out.extend_from_slice(kind.member().as_bytes());
    out.extend_from_slice(b"\":[");
    for (n, entry) in entries.iter().enumerate() {
        if n > 0 {
            out.push(b',');
        }
        out.extend_from_slice(entry);
    }
    out.push(b']');
    if let Some(next) = next {
        out.extend_from_slice(b",\"nextCursor\":\"");
        out.extend_from_slice(next.as_bytes());
        out.push(b'"');
    }
    out.into()
}

/// Opaque and unforgeable: a keyed hash of the list and of the entry that the page starts with.
fn cursor(kind: ListKind, first: &str, before: u32, key: &[u8; 32]) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return first.to_owned() };
    mac.update(kind.member().as_bytes());
    mac.update(&before.to_be_bytes());
    mac.update(first.as_bytes());
    let tag: [u8; 32] = mac.finalize().into_bytes().into();
    URL_SAFE_NO_PAD.encode(tag.get(..18).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    fn listing(count: usize) -> Listing {
        let entries: Vec<Definition> = (0..count)
            .map(|n| Definition { name: format!("t{n}"), json: format!("{{\"name\":\"t{n}\"}}") })
            .collect();
        Listing::paged(ListKind::Tools, &entries, 2, &[0; 32])
    }

    fn text(page: &Page) -> &str {
        core::str::from_utf8(&page.members).unwrap()
    }

    #[test]
    fn pages_follow_their_cursors_to_the_end() {
        let list = listing(5);
        let mut cursor: Option<String> = None;
        let mut seen = String::new();
        for _ in 0..3 {
            let page = text(list.page(cursor.as_deref()).unwrap());
            seen.push_str(page.split("],").next().unwrap());
            cursor = page.split("nextCursor\":\"").nth(1).map(|rest| rest.trim_end_matches('"').into());
        }
        assert_eq!(cursor, None);
        assert_eq!((0..5).filter(|n| seen.contains(&format!("\"t{n}\""))).count(), 5);
    }

    #[test]
    fn an_empty_list_is_one_empty_page_and_foreign_cursors_are_refused() {
        assert_eq!(text(listing(0).page(None).unwrap()), "\"tools\":[]");
        assert_eq!(listing(5).page(Some("")).err(), Some(Rejection::InvalidCursor));
        assert_eq!(listing(5).page(Some("AAAA")).err(), Some(Rejection::InvalidCursor));
    }
}
