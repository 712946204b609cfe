// A client as the suite wants to see one, with the hub inside:
//
//   node main.mjs HUB URL
//
// starts the program HUB with the server at URL behind it, and does with that server, through the hub, what the
// scenario of the suite is about. Its own client is of the older era, so that all that a scenario looks at in the
// newer one is of the hub's making. The hub's files lie in the working directory.
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { start } from './hub.mjs';
import { scenarios } from './scenarios.mjs';

const [, , program, url] = process.argv;
const scenario = process.env.MCP_CONFORMANCE_SCENARIO;
const context = JSON.parse(process.env.MCP_CONFORMANCE_CONTEXT ?? '{}');

const hub = await start(program, url);
try {
    const client = new Client(
        { name: 'conformance-client', version: '1.0.0' },
        { capabilities: { elicitation: {}, roots: {}, sampling: {} } }
    );
    const headers = { authorization: `Bearer ${hub.key}` };
    const transport = new StreamableHTTPClientTransport(new URL(hub.url), { requestInit: { headers } });
    await client.connect(transport);
    await scenarios[scenario](client, context);
    await client.close();
} finally {
    await hub.stop();
}
