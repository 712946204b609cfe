//! Language models that make plans: [`Planner`] over HTTP, for every provider that is no client.
//!
//! One client for all of them; a provider is two functions (`chat`, `anthropic`, `bedrock`): its request, and what is read
//! from its answer. Nothing is streamed, no redirect is followed, and what has no room now is asked again a few times.
//! Credentials are in headers, which are marked as secret, and nowhere else; whatever a provider says is shown without them.

use std::fmt;
use std::sync::Arc;

use orch_core::Limits;
use orch_core::planner::Provider;
use orch_core::ports::BoxFuture;
use orch_core::ports::planner::{Planner, PlannerFault, PlannerFaultKind, Question, Written};

mod anthropic;
mod bedrock;
mod chat;
mod exchange;
mod fault;
mod sigv4;
mod stop;

use exchange::{Client, Outgoing};
use fault::fault;

/// Asks providers over HTTP.
pub struct HttpPlanner {
    client: Client,
    limits: Arc<Limits>,
}

impl fmt::Debug for HttpPlanner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpPlanner(..)")
    }
}

/// The operator's own authorities cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRoots(String);

impl fmt::Display for BadRoots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the certificates of own authorities are not usable: {}", self.0)
    }
}

impl std::error::Error for BadRoots {}

impl HttpPlanner {
    /// `own_roots` are certificates in PEM of authorities that are trusted beside the public ones.
    pub fn new(own_roots: Option<&[u8]>, limits: Limits) -> Result<Self, BadRoots> {
        Ok(Self { client: exchange::client(own_roots, &limits)?, limits: Arc::new(limits) })
    }

    async fn answer(&self, question: &Question) -> Result<Written, PlannerFault> {
        let (outgoing, read) = say(question)?;
        let body = exchange::exchange(&self.client, &outgoing, &self.limits, question.timeout).await?;
        read(&body).ok_or_else(|| {
            fault(PlannerFaultKind::Unreadable, "it is not in the form that this provider's interface has")
        })
    }
}

impl Planner for HttpPlanner {
    fn ask(&self, question: Question) -> BoxFuture<'_, Result<Written, PlannerFault>> {
        Box::pin(async move { self.answer(&question).await })
    }
}

/// Reads a provider's answer; `None` where it has another form.
type Read = fn(&[u8]) -> Option<Written>;

/// The request for a question, and how its answer is read.
fn say(question: &Question) -> Result<(Outgoing, Read), PlannerFault> {
    Ok(match &question.spec.provider {
        Provider::Anthropic { url, key } => {
            (anthropic::request(question, url.as_deref(), key)?, anthropic::read)
        }
        Provider::Azure { url, api_version, key } => {
            (chat::azure(question, url, api_version.as_deref(), key)?, chat::read)
        }
        Provider::Bedrock { .. } => (bedrock::request(question)?, bedrock::read),
        Provider::OpenAi { url, key } => (chat::openai(question, url.as_deref(), key.as_ref())?, chat::read),
        Provider::Client => {
            return Err(fault(
                PlannerFaultKind::Misconfigured,
                "the model of the client is not reached here",
            ));
        }
    })
}
