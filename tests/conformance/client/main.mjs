// A client as the suite wants to see one, with the hub inside:
//
//   node main.mjs HUB URL
//
// starts the program HUB with the server at URL behind it, and does with that server, through the hub, what the
// scenario of the suite is about. Its own client is of the older era, so that all that a scenario looks at in the
// newer one is of the hub's making. The hub's files lie in the working directory.
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { start } from './hub.mjs';
import { configured, visit } from './logins.mjs';
import { scenarios } from './scenarios.mjs';

const [, , program, url] = process.argv;
const scenario = process.env.MCP_CONFORMANCE_SCENARIO;
const context = JSON.parse(process.env.MCP_CONFORMANCE_CONTEXT ?? '{}');

const hub = await start(program, url, configured(scenario, context));
try {
    if (scenario.startsWith('auth/')) await visit(hub, () => play(look));
    else await play(scenarios[scenario]);
} finally {
    await hub.stop();
}

/** Lets a client of the hub do something. */
async function play(what) {
    const client = new Client(
        { name: 'conformance-client', version: '1.0.0' },
        { capabilities: { elicitation: {}, roots: {}, sampling: {} } }
    );
    const headers = { authorization: `Bearer ${hub.key}` };
    const transport = new StreamableHTTPClientTransport(new URL(hub.url), { requestInit: { headers } });
    await client.connect(transport);
    await what(client, context);
    await client.close();
}

/** Does what every server of these scenarios offers. */
async function look(client) {
    await client.listTools();
    await client.callTool({ name: 'test-tool', arguments: {} });
}
