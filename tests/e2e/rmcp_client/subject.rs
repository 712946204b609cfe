//! What the rules speak to: a connection to server-everything, by the names that the endpoint gives to its tools.

use std::sync::{Arc, Mutex};

use rmcp::RoleClient;
use rmcp::model::{CallToolRequest, CallToolRequestParams, ClientRequest, ReadResourceRequestParams};
use rmcp::service::{Peer, PeerRequestOptions, RequestHandle, RunningService, ServiceError};
use serde_json::{Value, json};

use super::{Ears, Heard};

pub(super) struct Subject {
    /// Calls through it take up what a server of 2026-07-28 asks; those through its peer do not.
    pub(super) client: RunningService<RoleClient, Ears>,
    pub(super) peer: Peer<RoleClient>,
    pub(super) heard: Arc<Mutex<Heard>>,
    pub(super) prefix: &'static str,
    pub(super) version: &'static str,
    /// The process of the hub, for the rule that ends it.
    pub(super) hub: u32,
}

impl Subject {
    pub(super) fn call_params(&self, tool: &str, arguments: &Value) -> CallToolRequestParams {
        let params = CallToolRequestParams::new(format!("{}{tool}", self.prefix));
        params.with_arguments(arguments.as_object().expect("an object").clone())
    }

    pub(super) async fn call(&self, tool: &str, arguments: Value) -> Value {
        json_of(self.client.call_tool(self.call_params(tool, &arguments)).await)
    }

    /// A call that can be cancelled, and whose progress can be told from that of others.
    pub(super) async fn start(&self, tool: &str, arguments: Value) -> RequestHandle<RoleClient> {
        let request =
            ClientRequest::CallToolRequest(CallToolRequest::new(self.call_params(tool, &arguments)));
        let handle = self.peer.send_cancellable_request(request, PeerRequestOptions::no_options()).await;
        handle.expect("the request is sent")
    }

    pub(super) async fn echo(&self, message: &str) {
        let result = self.call("echo", json!({ "message": message })).await;
        assert!(
            result["content"][0]["text"] == format!("Echo: {message}"),
            "the echo of {} bytes",
            message.len()
        );
    }

    /// Reads a resource, whose content must say the address that was asked for.
    pub(super) async fn read(&self, uri: &str) -> Value {
        let mut result = json_of(self.peer.read_resource(ReadResourceRequestParams::new(uri)).await);
        assert_eq!(result["contents"][0]["uri"], uri, "{result}");
        result["contents"][0].take()
    }

    pub(super) async fn text_template(&self) -> String {
        let templates = self.peer.list_all_resource_templates().await.expect("the templates");
        let templates =
            templates.into_iter().map(|template| json_of(Ok(template))["uriTemplate"].to_string());
        let texts = templates.map(|template| template.trim_matches('"').to_owned());
        let text = texts.into_iter().find(|template| template.contains("dynamic/text/{resourceId}"));
        text.expect("the template of text resources")
    }

    pub(super) async fn resource_uris(&self) -> Vec<String> {
        let resources = self.peer.list_all_resources().await.expect("the resources");
        resources
            .into_iter()
            .map(|resource| json_of(Ok(resource))["uri"].as_str().expect("a uri").to_owned())
            .collect()
    }

    pub(super) async fn make_resource(&self, name: &str) -> String {
        let arguments =
            json!({ "name": name, "data": "data:text/plain,hello", "outputType": "resourceLink" });
        let result = self.call("gzip-file-as-resource", arguments).await;
        result["content"][0]["uri"].as_str().unwrap_or_else(|| panic!("no link in {result}")).to_owned()
    }
}

pub(super) fn json_of(answer: Result<impl serde::Serialize, ServiceError>) -> Value {
    let answer = answer.unwrap_or_else(|error| panic!("{error}"));
    serde_json::to_value(answer).expect("its JSON")
}
