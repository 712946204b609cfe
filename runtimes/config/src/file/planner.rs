//! `planner`: who makes plans of goals in words. Credentials are references to variables of the environment, never text.

use jsonc_parser::ast::{Object, Value};
use jsonc_parser::common::Range;
use orch_core::planner::{PlannerSpec, Provider, Secret};
use serde::ser::SerializeMap;

use super::finding::Findings;
use super::server::Entry;
use super::value::{self, Wrong, whole_number};
use super::write::unless;

/// Every name that a field may have.
pub(crate) const FIELDS: [&str; 14] = [
    "provider",
    "model",
    "lightModel",
    "url",
    "region",
    "apiVersion",
    "apiKey",
    "accessKeyId",
    "secretAccessKey",
    "sessionToken",
    "timeout",
    "maxTokens",
    "questionsPerDay",
    "confirm",
];

/// The planner in an object; `None` when a finding says why there is none.
pub(super) fn read(name: Range, object: &Object<'_>, findings: &mut Findings<'_>) -> Option<PlannerSpec> {
    let errors = findings.errors();
    let mut entry = Entry::of(name, object, findings);
    let named = entry.take(&["provider"], provider);
    let own = named.map(|named| of_provider(named, &mut entry));
    let model = entry.take(&["model"], value::path);
    let light_model = entry.take(&["lightModel"], value::path);
    let spec = PlannerSpec {
        light_model,
        timeout_s: entry.take(&["timeout"], value::seconds),
        max_tokens: entry.take(&["maxTokens"], tokens),
        questions_a_day: entry.take(&["questionsPerDay"], questions),
        confirm: entry.take(&["confirm"], value::flag).unwrap_or_default(),
        ..PlannerSpec::new(Provider::Client, "")
    };
    if named.is_some_and(|named| named != "client") && model.is_none() {
        entry.refuse_field("model", "the name of a model");
    }
    if named.is_none() {
        entry.refuse_field("provider", PROVIDERS);
    }
    let server = named.map(|named| format!("the provider {named}")).unwrap_or_default();
    entry.warn_of_strangers(&FIELDS, &server);
    let unknown = entry.rest(&FIELDS);
    if findings.errors() > errors {
        return None;
    }
    Some(PlannerSpec { provider: own??, model: model.unwrap_or_default(), unknown, ..spec })
}

/// What is of one provider alone.
fn of_provider(named: &'static str, entry: &mut Entry<'_, '_, '_>) -> Option<Provider> {
    let at = entry.place("url");
    let url = match named {
        "client" => None,
        _ => entry.take(&["url"], value::url),
    };
    let plain = url.as_deref().is_some_and(|url| url.starts_with("http://") && !is_here(url));
    if let Some(at) = at.filter(|_| plain) {
        entry.warn(at, "over http:// credentials and goals are readable on the way; https:// is better");
    }
    Some(match named {
        "anthropic" => {
            let key = entry.take(&["apiKey"], credential).unwrap_or_else(|| reference("ANTHROPIC_API_KEY"));
            Provider::Anthropic { url, key }
        }
        "azure" => {
            let (key, api_version) =
                (entry.take(&["apiKey"], credential), entry.take(&["apiVersion"], value::path));
            if url.is_none() {
                entry.refuse_field(
                    "url",
                    "the address of the resource, such as https://NAME.services.ai.azure.com/models",
                );
            }
            Provider::Azure { url: url?, api_version, key: key.unwrap_or_else(|| reference("AZURE_API_KEY")) }
        }
        "bedrock" => {
            let mut take = |field, variable: &str| {
                entry.take(&[field], credential).unwrap_or_else(|| reference(variable))
            };
            let access_key = take("accessKeyId", "AWS_ACCESS_KEY_ID");
            let secret_key = take("secretAccessKey", "AWS_SECRET_ACCESS_KEY");
            let session_token = Some(take("sessionToken", "AWS_SESSION_TOKEN"));
            let region = entry.take(&["region"], value::path);
            if region.is_none() {
                entry.refuse_field("region", "a region, such as eu-central-1");
            }
            Provider::Bedrock { region: region?, url, access_key, secret_key, session_token }
        }
        "openai" => {
            // Whoever runs a model himself may want no key.
            let own = || url.is_none().then(|| reference("OPENAI_API_KEY"));
            let key = entry.take(&["apiKey"], credential).or_else(own);
            Provider::OpenAi { url, key }
        }
        _ => Provider::Client,
    })
}

fn reference(variable: &str) -> Secret {
    Secret(format!("${{{variable}}}"))
}

/// Whether an address is of this machine.
fn is_here(url: &str) -> bool {
    let rest = url.strip_prefix("http://").unwrap_or_default();
    let host = rest.split(['/', '?']).next().unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    matches!(name, "localhost" | "[::1]") || name.starts_with("127.")
}

const PROVIDERS: &str = "\"anthropic\", \"azure\", \"bedrock\", \"client\" or \"openai\"";

fn provider(value: &Value<'_>) -> Result<&'static str, Wrong> {
    value::word(value, PROVIDERS, Provider::NAMES, |name| name)
}

fn tokens(value: &Value<'_>) -> Result<u32, Wrong> {
    whole_number(value, 256..=1_000_000, "a whole number of tokens from 256 to 1000000")
}

fn questions(value: &Value<'_>) -> Result<u32, Wrong> {
    whole_number(value, 0..=1_000_000, "a whole number from 0 to 1000000")
}

fn credential(value: &Value<'_>) -> Result<Secret, Wrong> {
    const EXPECTED: &str = "a variable of the environment, such as \"${OPENAI_API_KEY}\"";
    value::credential(value, EXPECTED).map(Secret)
}

/// The fields of a planner, as they are read again.
pub(super) fn write<M: SerializeMap>(map: &mut M, spec: &PlannerSpec) -> Result<(), M::Error> {
    let PlannerSpec {
        provider,
        model,
        light_model,
        timeout_s,
        max_tokens,
        questions_a_day,
        confirm,
        unknown,
    } = spec;
    map.serialize_entry("provider", provider.name())?;
    unless(model.is_empty(), map, "model", model)?;
    unless(light_model.is_none(), map, "lightModel", light_model)?;
    match provider {
        Provider::Anthropic { url, key } => {
            unless(url.is_none(), map, "url", url)?;
            map.serialize_entry("apiKey", &key.0)?;
        }
        Provider::Azure { url, api_version, key } => {
            map.serialize_entry("url", url)?;
            unless(api_version.is_none(), map, "apiVersion", api_version)?;
            map.serialize_entry("apiKey", &key.0)?;
        }
        Provider::Bedrock { region, url, access_key, secret_key, session_token } => {
            map.serialize_entry("region", region)?;
            unless(url.is_none(), map, "url", url)?;
            map.serialize_entry("accessKeyId", &access_key.0)?;
            map.serialize_entry("secretAccessKey", &secret_key.0)?;
            if let Some(token) = session_token {
                map.serialize_entry("sessionToken", &token.0)?;
            }
        }
        Provider::Client => {}
        Provider::OpenAi { url, key } => {
            unless(url.is_none(), map, "url", url)?;
            if let Some(key) = key {
                map.serialize_entry("apiKey", &key.0)?;
            }
        }
    }
    unless(timeout_s.is_none(), map, "timeout", timeout_s)?;
    unless(max_tokens.is_none(), map, "maxTokens", max_tokens)?;
    unless(questions_a_day.is_none(), map, "questionsPerDay", questions_a_day)?;
    unless(!confirm, map, "confirm", confirm)?;
    super::write::members(map, unknown)
}

#[cfg(test)]
mod tests {
    use orch_core::Limits;

    use super::super::ConfigFile;
    use super::*;

    fn parse(planner: &str) -> Result<ConfigFile, Vec<String>> {
        let text = format!("{{\"mcpServers\": {{}},\n\"planner\": {planner}}}");
        let said = |findings: Vec<super::super::Finding>| findings.iter().map(ToString::to_string).collect();
        ConfigFile::parse("f", &text, &Limits::default()).map_err(said)
    }

    #[test]
    fn every_provider_is_read_and_written_so_that_it_reads_the_same() {
        for planner in [
            r#"{"provider":"anthropic","model":"claude","lightModel":"haiku"}"#,
            r#"{"provider":"azure","model":"d","url":"https://r.services.ai.azure.com/models","apiKey":"${K}","apiVersion":"2024-05-01-preview"}"#,
            r#"{"provider":"bedrock","model":"m:1","region":"${REGION}","timeout":20}"#,
            r#"{"provider":"openai","model":"gpt","maxTokens":4096,"questionsPerDay":10,"confirm":true}"#,
            r#"{"provider":"OpenAI","model":"llama","url":"http://127.0.0.1:11434/v1"}"#,
            r#"{"provider":"client"}"#,
        ] {
            let file = parse(planner).unwrap();
            assert_eq!(file.warnings, [], "{planner}");
            let again = ConfigFile::parse("f", &file.write(), &Limits::default()).unwrap();
            assert!(file.planner.is_some() && file.planner == again.planner, "{planner}");
        }
        let Some(spec) = parse(r#"{"provider":"bedrock","model":"m","region":"r"}"#).unwrap().planner else {
            panic!()
        };
        let Provider::Bedrock { access_key, .. } = spec.provider else { panic!() };
        assert_eq!(access_key.0, "${AWS_ACCESS_KEY_ID}");
    }

    #[test]
    fn what_does_not_do_is_said_with_its_place_and_no_credential_is_repeated() {
        for (planner, finding) in [
            (r#"{"model":"m"}"#, "\"provider\" is missing: expected \"anthropic\", \"azure\","),
            (
                r#"{"provider":"gemini"}"#,
                "\"provider\" must be \"anthropic\", \"azure\", \"bedrock\", \"client\" or \"openai\", found another string",
            ),
            (r#"{"provider":"openai"}"#, "\"model\" is missing: expected the name of a model"),
            (r#"{"provider":"azure","model":"m"}"#, "\"url\" is missing: expected the address"),
            (r#"{"provider":"bedrock","model":"m"}"#, "\"region\" is missing: expected a region"),
            (
                r#"{"provider":"openai","model":"m","apiKey":"sk-s3cret"}"#,
                "\"apiKey\" must be a variable of the environment, such as \"${OPENAI_API_KEY}\", found another string",
            ),
            (r#"{"provider":"openai","model":"m","apiKey":"${K:-sk-s3cret}"}"#, "\"apiKey\" must be"),
            (
                r#"{"provider":"openai","model":"m","maxTokens":1}"#,
                "\"maxTokens\" must be a whole number of tokens",
            ),
            (r#"{"provider":"openai","model":"m","url":"ftp://x"}"#, "\"url\" must be a URL"),
            ("[]", "\"planner\" must be an object, found an array"),
        ] {
            let findings = parse(planner).unwrap_err();
            assert!(
                findings.iter().any(|it| it.starts_with("f:2:") && it.contains(finding)),
                "{planner}: {findings:?}"
            );
            assert!(!findings.concat().contains("s3cret"), "{findings:?}");
        }
    }

    #[test]
    fn what_is_not_known_is_kept_and_what_looks_like_a_mistake_is_said() {
        let file = parse(
            r#"{"provider":"openai","model":"m","modle":"n","region":"eu","url":"http://far/v1","x":[1]}"#,
        )
        .unwrap();
        let warnings: Vec<String> = file.warnings.iter().map(|it| it.message.clone()).collect();
        assert_eq!(
            warnings,
            [
                "\"modle\" is not a field; did you mean `model`?",
                "\"region\" means nothing for the provider openai; it is kept",
                "over http:// credentials and goals are readable on the way; https:// is better",
            ]
        );
        let unknown = file.planner.unwrap().unknown;
        assert_eq!(unknown.keys().collect::<Vec<_>>(), ["modle", "region", "x"]);
    }
}
