//! Rules about resources, prompts and completion: what was listed can be used, under the name it was listed by.

use std::sync::Arc;

use rmcp::model::{
    ArgumentInfo, CompleteRequestParams, CompletionContext, GetPromptRequestParams,
    ReadResourceRequestParams, Reference,
};
use rmcp::service::ServiceError;
use serde_json::json;

use super::subject::{Subject, json_of};

pub(super) async fn resources(subject: Arc<Subject>) {
    let uris = subject.resource_uris().await;
    let documents: Vec<&String> =
        uris.iter().filter(|uri| uri.contains("demo://resource/static/document/")).collect();
    assert_eq!(documents.len(), 7, "{uris:?}");
    let content = subject.read(documents[0]).await;
    assert_eq!(content["mimeType"], "text/markdown");
    let unknown =
        subject.peer.read_resource(ReadResourceRequestParams::new("demo://resource/no/such/thing")).await;
    assert!(matches!(unknown, Err(ServiceError::McpError(_))), "{unknown:?}");
}

pub(super) async fn resource_templates(subject: Arc<Subject>) {
    let uri = subject.text_template().await.replace("{resourceId}", "7");
    let content = subject.read(&uri).await;
    assert!(content["text"].as_str().is_some_and(|text| text.starts_with("Resource 7:")), "{content}");
}

pub(super) async fn resource_links(subject: Arc<Subject>) {
    let result = subject.call("get-resource-links", json!({ "count": 4 })).await;
    let blocks = result["content"].as_array().expect("content");
    let links: Vec<&str> = blocks.iter().filter_map(|block| block["uri"].as_str()).collect();
    assert_eq!(links.len(), 4, "{result}");
    for uri in links {
        subject.read(uri).await;
    }
}

pub(super) async fn prompts(subject: Arc<Subject>) {
    let name = format!("{}args-prompt", subject.prefix);
    let listed = json_of(subject.peer.list_all_prompts().await);
    let prompts = listed.as_array().expect("a list");
    assert!(prompts.iter().any(|prompt| prompt["name"] == name), "{listed}");
    let arguments = json!({ "city": "Zürich", "state": "ZH" });
    let params =
        GetPromptRequestParams::new(name).with_arguments(arguments.as_object().expect("an object").clone());
    let prompt = json_of(subject.peer.get_prompt(params).await);
    assert_eq!(prompt["messages"][0]["content"]["text"], "What's weather in Zürich, ZH?");
}

pub(super) async fn completion(subject: Arc<Subject>) {
    let complete = async |of: Reference, name: &str, value: &str, context: Option<CompletionContext>| {
        let mut params = CompleteRequestParams::new(of, ArgumentInfo::new(name, value));
        params.context = context;
        json_of(subject.peer.complete(params).await)["completion"]["values"].clone()
    };
    let prompt = || Reference::for_prompt(format!("{}completable-prompt", subject.prefix));
    assert_eq!(complete(prompt(), "department", "E", None).await, json!(["Engineering"]));
    let sales = CompletionContext::with_arguments([("department".to_owned(), "Sales".to_owned())].into());
    assert_eq!(complete(prompt(), "name", "D", Some(sales)).await, json!(["David"]));
    let template = Reference::for_resource(subject.text_template().await);
    assert_eq!(complete(template, "resourceId", "42", None).await, json!(["42"]));
}
