//! What the built-in server says to people: how to connect, how to add a server.

use alloc::format;
use alloc::string::String;

use crate::snapshot::{Instance, Snapshot};

/// How to connect a client. The key is never in it: it is shown once, when it is made.
pub(super) fn connect(snapshot: &Snapshot, server: Option<&str>) -> String {
    let base = &snapshot.instance.base_url;
    let slug = &snapshot.project.slug;
    let path = server.map_or_else(
        || format!("{base}/projects/{slug}/unified"),
        |name| format!("{base}/projects/{slug}/servers/{name}"),
    );
    let name = server.unwrap_or("mcp-orch");
    format!(
        "Streamable HTTP: {path}/mcp\n\
         HTTP+SSE: {path}/sse\n\
         Header: Authorization: Bearer KEY\n\
         \n\
         Claude Code: claude mcp add --transport http {name} {path}/mcp --header \"Authorization: Bearer KEY\"\n\
         Cline: an entry with \"type\": \"streamableHttp\", \"url\" and \"headers\"\n\
         VS Code: an entry of \"servers\" with \"type\": \"http\", \"url\" and \"headers\"\n\
         Cursor: an entry with \"url\" and \"headers\"\n\
         The whole text for each: mcp-orch client-config --help\n\
         \n\
         A key: mcp-orch keys create --project {slug} --name MY_CLIENT"
    )
}

/// How to add a server.
pub(super) fn add_server(instance: &Instance) -> String {
    format!(
        "Add an entry to {}, on the machine of the hub:\n\n{{\n  \"mcpServers\": {{\n    \"time\": {{ \"command\": \"uvx\", \"args\": [\"mcp-server-time\"] }}\n  }}\n}}\n\nThe file is watched: a saved change is applied within two seconds. mcp-orch check FILE says what is wrong with it.",
        instance.config_file
    )
}
