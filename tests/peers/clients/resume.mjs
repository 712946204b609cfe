// The TypeScript SDK, version 1, on a line that is cut: prints the progress that it has seen, and the answer.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

const [url, key] = process.argv.slice(2);
const requestInit = { headers: { Authorization: `Bearer ${key}` } };
const client = new Client({ name: 'resume', version: '1.0.0' });
await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit }));
const progress = [];
const call = { name: 'trigger-long-running-operation', arguments: { duration: 2, steps: 4 } };
const answer = await client.callTool(call, undefined, { onprogress: (update) => progress.push(update.progress) });
console.log(JSON.stringify({ progress, answer: answer.content[0].text }));
await client.close();
