//! The features, generated: every row of the method table, every kind of question, all that servers say unasked, and
//! what no table has. Whoever adds to one of these is told by the compiler that a check is missing.

use std::fmt;

use orch_core::Limits;
use orch_core::mcp::{Asking, ListKind, Revision, Row, TABLE};
use orch_core::rpc::{Envelope, Sender};
use serde_json::json;

/// Something that works between a client and a server, or is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Feature {
    /// A row of the method table, by its name on the wire.
    Method(&'static str),
    /// A server asks its client.
    Question(Asking),
    /// A server speaks without being asked.
    News(News),
    /// The same again, when the server has asked its client: one on stdio has another process for the client by then.
    NewsAfterQuestion(News),
    /// What no table has.
    Crossing(Crossing),
}

/// What servers say unasked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum News {
    /// `notifications/cancelled`: a server takes its question back.
    Cancelled,
    ElicitationComplete,
    ListChanged(ListKind),
    Log,
    Progress,
    ResourceUpdated,
    /// What no revision has.
    Unknown,
}

/// What no table has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Crossing {
    CompletionContext,
    /// The client's line is cut while its call is at the server.
    Disconnect,
    EqualIds,
    Meta,
    ResourceLink,
    StructuredContent,
    Traceparent,
    UnknownMethod,
    UnknownNotification,
}

impl Feature {
    /// All of them. What makes a stdio server ask its clients comes last, since such a server gets new processes.
    pub(crate) fn all() -> Vec<Self> {
        let mut all: Vec<Self> =
            chain(Crossing::CompletionContext, Crossing::after).map(Self::Crossing).collect();
        let (asking, plain): (Vec<&Row>, Vec<&Row>) =
            TABLE.iter().partition(|row| row.name == "notifications/progress");
        all.extend(plain.into_iter().map(|row| Self::Method(row.name)));
        all.extend(chain(News::ElicitationComplete, News::after).map(Self::News));
        all.extend(asking.into_iter().map(|row| Self::Method(row.name)));
        all.extend(chain(Asking::Form, after).map(Self::Question));
        all.extend(
            chain(News::ElicitationComplete, News::after)
                .filter(|it| it.outlasts())
                .map(Self::NewsAfterQuestion),
        );
        all
    }
}

fn chain<T: Copy>(first: T, after: impl Fn(T) -> Option<T>) -> impl Iterator<Item = T> {
    std::iter::successors(Some(first), move |item| after(*item))
}

/// The kind of question that comes next.
fn after(asking: Asking) -> Option<Asking> {
    match asking {
        Asking::Form => Some(Asking::Roots),
        Asking::Roots => Some(Asking::Sampling),
        Asking::Sampling => Some(Asking::SamplingTools),
        Asking::SamplingTools => Some(Asking::Url),
        Asking::Url => None,
    }
}

impl News {
    /// Whether a client waits for it beyond a call, and so from one process of a server to the next. The lists are all
    /// treated alike: one stands for them.
    fn outlasts(self) -> bool {
        match self {
            Self::ListChanged(ListKind::Tools) | Self::ResourceUpdated => true,
            Self::Cancelled
            | Self::ElicitationComplete
            | Self::ListChanged(ListKind::Prompts | ListKind::Resources | ListKind::Templates)
            | Self::Log
            | Self::Progress
            | Self::Unknown => false,
        }
    }

    fn after(self) -> Option<Self> {
        match self {
            Self::ElicitationComplete => Some(Self::ListChanged(ListKind::Tools)),
            Self::ListChanged(ListKind::Tools) => Some(Self::ListChanged(ListKind::Prompts)),
            Self::ListChanged(ListKind::Prompts) => Some(Self::ListChanged(ListKind::Resources)),
            // The two lists of resources change with one notification.
            Self::ListChanged(ListKind::Resources | ListKind::Templates) => Some(Self::Log),
            Self::Log => Some(Self::Progress),
            Self::Progress => Some(Self::ResourceUpdated),
            Self::ResourceUpdated => Some(Self::Unknown),
            Self::Unknown => Some(Self::Cancelled),
            Self::Cancelled => None,
        }
    }
}

impl Crossing {
    fn after(self) -> Option<Self> {
        match self {
            Self::CompletionContext => Some(Self::Disconnect),
            Self::Disconnect => Some(Self::EqualIds),
            Self::EqualIds => Some(Self::Meta),
            Self::Meta => Some(Self::ResourceLink),
            Self::ResourceLink => Some(Self::StructuredContent),
            Self::StructuredContent => Some(Self::Traceparent),
            Self::Traceparent => Some(Self::UnknownMethod),
            Self::UnknownMethod => Some(Self::UnknownNotification),
            Self::UnknownNotification => None,
        }
    }
}

/// How a tool of the server, and the wire, call a kind of question.
pub(crate) fn question(asking: Asking) -> (&'static str, &'static str) {
    match asking {
        Asking::Form => ("form", "elicitation/create"),
        Asking::Roots => ("roots", "roots/list"),
        Asking::Sampling => ("sampling", "sampling/createMessage"),
        Asking::SamplingTools => ("sampling-tools", "sampling/createMessage"),
        Asking::Url => ("url", "elicitation/create"),
    }
}

/// Whether a revision has a kind of question, as the hub's own table says.
pub(crate) fn has_question(revision: Revision, asking: Asking) -> bool {
    let params = match asking {
        Asking::Form | Asking::Roots | Asking::Sampling => json!({}),
        Asking::SamplingTools => json!({ "tools": [] }),
        Asking::Url => json!({ "mode": "url" }),
    };
    let (_, method) = question(asking);
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
    let request = Envelope::parse(request.into(), Sender::Upstream, &Limits::default()).expect("a request");
    Asking::of(method, &request, revision) == Some(asking)
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Method(name) => f.write_str(name),
            Self::Question(asking) => write!(f, "question: {}", question(*asking).0),
            Self::News(News::ListChanged(kind)) => f.write_str(kind.changed()),
            Self::News(news) => write!(f, "news: {news:?}"),
            Self::NewsAfterQuestion(news) => write!(f, "after a question: {}", Self::News(*news)),
            Self::Crossing(crossing) => write!(f, "{crossing:?}"),
        }
    }
}

#[test]
fn every_row_and_every_list_and_every_question_is_a_feature_once() {
    let all = Feature::all();
    for row in &TABLE {
        assert_eq!(all.iter().filter(|it| **it == Feature::Method(row.name)).count(), 1, "{}", row.name);
    }
    let lists = ListKind::ALL.map(ListKind::changed);
    for list in lists {
        assert_eq!(all.iter().filter(|it| it.to_string() == list).count(), 1, "{list}");
    }
    for (index, feature) in all.iter().enumerate() {
        assert!(!all[..index].contains(feature), "{feature} is there twice");
    }
    assert!(all.len() > TABLE.len() + 5 + 9, "{all:?}");
}
