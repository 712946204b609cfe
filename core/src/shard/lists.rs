//! Lists, answered from the snapshot: no server has to run for them.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::wait::Patience;
use super::{Cx, Shard};
use crate::UpstreamFault;
use crate::hub;
use crate::mcp::ListKind;
use crate::ports::gateway::Target;
use crate::record::Aside;
use crate::rpc::{Envelope, Field, write};
use crate::snapshot::Snapshot;
use crate::upstream::Caller;

impl Shard {
    pub(super) fn list(
        &mut self,
        cx: &mut Cx<'_>,
        caller: Caller,
        body: Envelope,
        kind: ListKind,
        patience: Patience,
    ) {
        if patience == Patience::Waits && self.is_missing(cx, &caller, &body) {
            return self.wait(cx, caller, body);
        }
        let Some(listing) = cx.snapshot.listing(&caller.target, kind) else {
            let fault = self.why_missing(cx, &caller.target);
            return self.fail(cx, &caller, &fault);
        };
        if let Some(fault) = self.why_untold(cx, &caller.target, kind) {
            return self.fail(cx, &caller, &fault.into());
        }
        match listing.page(body.text(Field::Cursor).as_deref()) {
            Ok(page) => {
                let result = self.list_result(cx, &caller, page.members(caller.revision), kind);
                self.respond(cx, &caller, &result);
            }
            Err(rejection) => self.fail(cx, &caller, &rejection.into()),
        }
    }

    fn list_result(&self, cx: &Cx<'_>, caller: &Caller, members: &[u8], kind: ListKind) -> Vec<u8> {
        let mut out = Vec::with_capacity(members.len().saturating_add(256));
        out.push(b'{');
        out.extend_from_slice(members);
        let aside = aside(cx.snapshot, &caller.target, kind.method());
        let mut meta = Vec::new();
        if let Some(Aside { members, meta: own }) = aside {
            if !members.is_empty() {
                out.push(b',');
                out.extend_from_slice(members.as_bytes());
            }
            meta.extend(Some(own.clone()).filter(|own| !own.is_empty()));
        }
        if caller.revision.is_modern() {
            let ttl = cx.limits().list_ttl.as_millis();
            let modern = format!(",\"resultType\":\"complete\",\"ttlMs\":{ttl},\"cacheScope\":\"private\"");
            out.extend_from_slice(modern.as_bytes());
            meta.push(format!(
                "\"io.modelcontextprotocol/serverInfo\":{}",
                server_info(cx.snapshot, &caller.target)
            ));
        }
        meta.extend(self.via_mark(cx.snapshot, &caller.target));
        if caller.target == Target::Unified {
            meta.extend(self.unavailable_mark(cx.snapshot, kind));
        }
        if !meta.is_empty() {
            out.extend_from_slice(b",\"_meta\":{");
            out.extend_from_slice(meta.join(",").as_bytes());
            out.push(b'}');
        }
        out.push(b'}');
        out
    }

    /// Why the one server behind an endpoint tells nothing of a list of which nothing is known.
    fn why_untold(&self, cx: &Cx<'_>, target: &Target, kind: ListKind) -> Option<UpstreamFault> {
        let Target::Server(name) = target else { return None };
        let entry = cx.snapshot.named(name)?;
        let known = entry.offer.as_ref().is_some_and(|offer| !offer.entries(kind).is_empty());
        if known { None } else { self.upstreams.why_unseen(entry, kind) }
    }

    /// The servers whose entries are missing from a list, or come from memory because the server does not tell them now.
    fn unavailable_mark(&self, snapshot: &Snapshot, kind: ListKind) -> Option<String> {
        let down: Vec<String> = snapshot
            .behind(&Target::Unified)
            .filter_map(|entry| {
                let upstream = self.upstreams.shared(entry.id);
                let cause = upstream.and_then(|upstream| upstream.process.cause());
                let cause = match (cause, &entry.offer) {
                    (Some(cause), _) => cause,
                    (None, None) => "it has not answered yet",
                    (None, Some(offer)) => offer.untold(kind)?,
                };
                let mut line = Vec::from(b"{\"server\":");
                write::string(&mut line, &entry.name);
                line.extend_from_slice(b",\"cause\":");
                write::string(&mut line, cause);
                line.push(b'}');
                String::from_utf8(line).ok()
            })
            .collect();
        (!down.is_empty()).then(|| format!("\"mcp-orch/unavailable\":[{}]", down.join(",")))
    }
}

/// What the one server behind an endpoint says aside, with a list or in its handshake.
pub(super) fn aside<'a>(snapshot: &'a Snapshot, target: &Target, of: &str) -> Option<&'a Aside> {
    match target {
        Target::Server(name) => snapshot.named(name)?.offer.as_ref()?.definitions().aside.get(of),
        Target::Unified => None,
    }
}

/// `serverInfo` of an endpoint.
pub(super) fn server_info<'a>(snapshot: &'a Snapshot, target: &Target) -> &'a str {
    let own = match target {
        Target::Server(name) => snapshot.named(name).and_then(|entry| entry.offer.as_ref()),
        Target::Unified => None,
    };
    own.map_or(hub::SERVER_INFO, |offer| offer.definitions().server_info.as_str())
}
