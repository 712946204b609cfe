//! What the built-in server says to people: how to connect, how to add a server.

use alloc::format;
use alloc::string::String;

use crate::snapshot::{Instance, Snapshot};

/// How to connect a client. The key is never in it: it is shown once, when it is made.
pub(super) fn connect(snapshot: &Snapshot, client: Option<&str>, server: Option<&str>) -> String {
    let base = &snapshot.instance.base_url;
    let slug = &snapshot.project.slug;
    let path = server.map_or_else(
        || format!("/projects/{slug}/unified/mcp"),
        |name| format!("/projects/{slug}/servers/{name}/mcp"),
    );
    let url = format!("{base}{path}");
    let name = server.unwrap_or("mcp-orch");
    let how = match client {
        Some("claude-code") => {
            format!(
                "claude mcp add --transport http {name} {url} --header \"Authorization: Bearer YOUR_KEY\""
            )
        }
        Some("cline") => entry("mcpServers", "streamableHttp", name, &url),
        Some("vscode") => entry("servers", "http", name, &url),
        Some("cursor") => format!(
            "{{\n  \"mcpServers\": {{\n    \"{name}\": {{\n      \"url\": \"{url}\",\n      \"headers\": {{ \"Authorization\": \"Bearer YOUR_KEY\" }}\n    }}\n  }}\n}}"
        ),
        Some(_) | None => {
            format!(
                "Streamable HTTP at {url}\nHTTP+SSE at {}/sse\nwith the header Authorization: Bearer YOUR_KEY",
                url.trim_end_matches("/mcp")
            )
        }
    };
    format!("{how}\n\nA key: mcp-orch keys create --project {slug} --name MY_CLIENT")
}

fn entry(map: &str, kind: &str, name: &str, url: &str) -> String {
    format!(
        "{{\n  \"{map}\": {{\n    \"{name}\": {{\n      \"type\": \"{kind}\",\n      \"url\": \"{url}\",\n      \"headers\": {{ \"Authorization\": \"Bearer YOUR_KEY\" }}\n    }}\n  }}\n}}"
    )
}

/// How to add a server.
pub(super) fn add_server(instance: &Instance) -> String {
    format!(
        "Add an entry to {}, on the machine of the hub:\n\n{{\n  \"mcpServers\": {{\n    \"time\": {{ \"command\": \"uvx\", \"args\": [\"mcp-server-time\"] }}\n  }}\n}}\n\nThe file is watched: a saved change is applied within two seconds. mcp-orch check FILE says what is wrong with it.",
        instance.config_file
    )
}
