//! What a project's owner has said about its planner.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::Limits;
use crate::record::interpolate;

/// A planner as its owner wrote it: credentials are references (`${VAR}`), so that none is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannerSpec {
    /// Who is asked, and how.
    pub provider: Provider,
    /// The model, by its provider's name for it. Empty for [`Provider::Client`], which chooses itself.
    pub model: String,
    /// A lighter model. It plans small goals (limit `planner.small_goal_bytes`), and mends the plans of the other one.
    pub light_model: Option<String>,
    /// How long one question may take, in seconds; `planner.answer` when absent.
    pub timeout_s: Option<u32>,
    /// Tokens that the model may write in one answer; `planner.answer_tokens` when absent.
    pub max_tokens: Option<u32>,
    /// Questions within one day (UTC), the mending of plans among them; `planner.questions_a_day` when absent.
    pub questions_a_day: Option<u32>,
    /// Whether somebody has to agree to a plan before it runs.
    pub confirm: bool,
    /// Members that this release does not know, as JSON text by name, written back as they were.
    pub unknown: BTreeMap<String, String>,
}

/// Who is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Provider {
    /// Anthropic's Messages interface.
    Anthropic {
        /// Another address than Anthropic's own.
        url: Option<String>,
        /// `x-api-key`.
        key: Secret,
    },
    /// Chat completions of Azure AI Foundry.
    Azure {
        /// `https://RESOURCE.services.ai.azure.com/models`, or `https://RESOURCE.openai.azure.com/openai/v1`.
        url: String,
        /// The parameter `api-version`; the adapter's own choice for the address when absent.
        api_version: Option<String>,
        /// `api-key`.
        key: Secret,
    },
    /// The Converse interface of AWS Bedrock, signed with an access key.
    Bedrock {
        /// The region, such as `eu-central-1`.
        region: String,
        /// Another address than AWS's own for the region.
        url: Option<String>,
        /// The access key's id.
        access_key: Secret,
        /// Its secret.
        secret_key: Secret,
        /// The token of temporary credentials. A reference that leads to nothing is as good as none.
        session_token: Option<Secret>,
    },
    /// The model of the client that calls, by MCP sampling.
    Client,
    /// Chat completions in the form of `OpenAI`, which many programs and services have.
    OpenAi {
        /// The address up to `/chat/completions`; `OpenAI`'s own when absent.
        url: Option<String>,
        /// The bearer token, where one is needed.
        key: Option<Secret>,
    },
}

impl Provider {
    /// The names, as they are written in the configuration.
    pub const NAMES: [&'static str; 5] = ["anthropic", "azure", "bedrock", "client", "openai"];

    /// The name, as it is written in the configuration.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Anthropic { .. } => "anthropic",
            Self::Azure { .. } => "azure",
            Self::Bedrock { .. } => "bedrock",
            Self::Client => "client",
            Self::OpenAi { .. } => "openai",
        }
    }
}

/// A credential, or the reference to one. It is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl PlannerSpec {
    /// A planner of which its owner has said no more than who it is.
    pub fn new(provider: Provider, model: &str) -> Self {
        Self {
            provider,
            model: model.to_owned(),
            light_model: None,
            timeout_s: None,
            max_tokens: None,
            questions_a_day: None,
            confirm: false,
            unknown: BTreeMap::new(),
        }
    }

    /// How long one question may take.
    pub fn timeout(&self, limits: &Limits) -> Duration {
        self.timeout_s.map_or(limits.planner.answer, |seconds| Duration::from_secs(seconds.into()))
    }

    /// Tokens that the model may write in one answer.
    pub fn max_tokens(&self, limits: &Limits) -> u32 {
        self.max_tokens.unwrap_or(limits.planner.answer_tokens)
    }

    /// Questions within one day.
    pub fn questions_a_day(&self, limits: &Limits) -> u32 {
        self.questions_a_day.unwrap_or(limits.planner.questions_a_day)
    }

    /// The model that plans a goal first, and the one that mends its plan: the lighter one does the smaller work.
    pub fn models(&self, goal: &str, limits: &Limits) -> [&str; 2] {
        let light = self.light_model.as_deref().unwrap_or(&self.model);
        if goal.len() <= limits.planner.small_goal_bytes {
            [light, &self.model]
        } else {
            [&self.model, light]
        }
    }

    /// What plans depend on: of another planner they may be others.
    pub(super) fn policy(&self) -> String {
        let Self { model, light_model, .. } = self;
        format!("{:?} {model:?} {light_model:?}", self.provider)
    }

    /// The same with every reference replaced by its value, or the names of what is not set.
    ///
    /// The result holds secrets: it goes to the adapter, and is neither stored nor shown.
    pub fn resolved(&self, lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Vec<String>> {
        let mut missing = Vec::new();
        let mut fill = |text: &str| {
            interpolate(text, &lookup).unwrap_or_else(|name| {
                missing.push(name);
                String::new()
            })
        };
        let provider = match &self.provider {
            Provider::Anthropic { url, key } => {
                Provider::Anthropic { url: url.as_deref().map(&mut fill), key: Secret(fill(&key.0)) }
            }
            Provider::Azure { url, api_version, key } => Provider::Azure {
                url: fill(url),
                api_version: api_version.as_deref().map(&mut fill),
                key: Secret(fill(&key.0)),
            },
            Provider::Bedrock { region, url, access_key, secret_key, session_token } => Provider::Bedrock {
                region: fill(region),
                url: url.as_deref().map(&mut fill),
                access_key: Secret(fill(&access_key.0)),
                secret_key: Secret(fill(&secret_key.0)),
                session_token: session_token
                    .as_ref()
                    .map(|token| interpolate(&token.0, &lookup).unwrap_or_default())
                    .filter(|token| !token.is_empty())
                    .map(Secret),
            },
            Provider::Client => Provider::Client,
            Provider::OpenAi { url, key } => Provider::OpenAi {
                url: url.as_deref().map(&mut fill),
                key: key.as_ref().map(|key| Secret(fill(&key.0))),
            },
        };
        let resolved = Self { provider, model: fill(&self.model), ..self.clone() };
        if missing.is_empty() { Ok(resolved) } else { Err(missing) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bedrock() -> PlannerSpec {
        let secret = |text: &str| Secret(text.to_owned());
        PlannerSpec::new(
            Provider::Bedrock {
                region: "${REGION:-eu-central-1}".into(),
                url: None,
                access_key: secret("${ID}"),
                secret_key: secret("${SECRET}"),
                session_token: Some(secret("${TOKEN}")),
            },
            "m",
        )
    }

    #[test]
    fn references_are_replaced_and_those_that_lead_nowhere_are_named() {
        let lookup = |name: &str| matches!(name, "ID" | "SECRET").then(|| format!("v-{name}"));
        let resolved = bedrock().resolved(lookup).unwrap();
        let Provider::Bedrock { region, access_key, session_token, .. } = &resolved.provider else {
            panic!()
        };
        assert_eq!((&**region, &*access_key.0, session_token), ("eu-central-1", "v-ID", &None));
        assert_eq!(bedrock().resolved(|_| None), Err(Vec::from(["ID".to_owned(), "SECRET".to_owned()])));
    }

    #[test]
    fn no_credential_is_shown() {
        let resolved = bedrock().resolved(|name| Some(format!("s3cret-{name}"))).unwrap();
        let shown = format!("{resolved:?}");
        assert!(!shown.contains("s3cret-SECRET") && !shown.contains("s3cret-ID"), "{shown}");
    }

    #[test]
    fn the_lighter_model_does_the_smaller_work() {
        let limits = Limits::default();
        let spec = PlannerSpec { light_model: Some("light".into()), ..bedrock() };
        assert_eq!(spec.models("What time is it?", &limits), ["light", "m"]);
        assert_eq!(spec.models(&"x".repeat(limits.planner.small_goal_bytes + 1), &limits), ["m", "light"]);
        assert_eq!(bedrock().models("What time is it?", &limits), ["m", "m"]);
    }
}
