// Plans, sent with the TypeScript SDKs by a client that can be asked. Prints how each has ended, a line of JSON each.
//
// Usage: plans.mjs URL KEY MODE HUB SCENES: MODE is `v1` (version 1 of the SDK), `legacy` or 2026-07-28 (version 2), HUB a
// process that is ended in the midst of a plan, and SCENES a JSON array of [name, how it is called, arguments].
const [url, key, mode, hub, scenes] = process.argv.slice(2);
const PATIENCE_MS = 20_000;

const ANSWERS = {
    'elicitation/create': ({ message }) =>
        message.startsWith('Run this plan?') && message.includes('refused')
            ? { action: 'decline' }
            : { action: 'accept', content: { name: 'Ada' } },
    // The goal of these plans is a plan.
    'sampling/createMessage': ({ messages }) => {
        const plan = messages[0].content.text.split('Goal: ').pop();
        return { role: 'assistant', content: { type: 'text', text: plan }, model: 'none' };
    },
};
const { client, callTool } = await (mode === 'v1' ? connectV1() : connectV2());

async function connectV1() {
    const { Client } = await import('@modelcontextprotocol/sdk/client/index.js');
    const { StreamableHTTPClientTransport } = await import('@modelcontextprotocol/sdk/client/streamableHttp.js');
    const { CreateMessageRequestSchema, ElicitRequestSchema } = await import('@modelcontextprotocol/sdk/types.js');
    const client = new Client({ name: 'plans', version: '1' }, { capabilities: { elicitation: {}, sampling: {} } });
    for (const schema of [CreateMessageRequestSchema, ElicitRequestSchema]) {
        client.setRequestHandler(schema, ({ method, params }) => ANSWERS[method](params));
    }
    await client.connect(transport(StreamableHTTPClientTransport));
    return { client, callTool: (params, request) => client.callTool(params, undefined, request) };
}

async function connectV2() {
    const { Client, StreamableHTTPClientTransport } = await import('@modelcontextprotocol/client');
    const negotiation = mode === 'legacy' ? {} : { versionNegotiation: { mode: { pin: mode } } };
    const capabilities = { elicitation: {}, sampling: {} };
    const client = new Client({ name: 'plans', version: '2' }, { ...negotiation, capabilities });
    for (const [method, answer] of Object.entries(ANSWERS)) {
        client.setRequestHandler(method, ({ params }) => answer(params));
    }
    await client.connect(transport(StreamableHTTPClientTransport));
    return { client, callTool: (params, request) => client.callTool(params, request) };
}

function transport(Transport) {
    return new Transport(new URL(url), { requestInit: { headers: { authorization: `Bearer ${key}` } } });
}

async function call(name, args, request) {
    return (await callTool({ name, arguments: args }, request)).structuredContent ?? {};
}

/** How the run stands that was begun last, or so many before it, when it has ended. */
async function newest(at = 0) {
    const { runs } = await call('batch_status', {});
    return call('batch_status', { run: runs[at].run, wait: true });
}

/** Leaves the call when a step has ended, after something else. */
async function leave(plan, first) {
    const leaving = new AbortController();
    const ended = new Promise((resolve) => {
        const vain = call('batch_execute', plan, { onprogress: resolve, signal: leaving.signal });
        vain.catch(() => {});
    });
    await ended;
    await first();
    leaving.abort();
}

const WAYS = {
    call: (plan) => call('batch_execute', plan),
    background: async (plan) => {
        const { run, status } = await call('batch_execute', { ...plan, background: true });
        return status === 'running' ? call('batch_status', { run, wait: true }) : { status };
    },
    cancel: async (plan) => {
        await leave(plan, () => {});
        return newest();
    },
    /** Ends the hub without a word when a step has ended. Somebody starts it again. */
    outlive: async (plan) => {
        await leave(plan, async () => {
            // As soon as the store has a run in the background, it has all that was before it.
            await call('batch_execute', { steps: [{ id: 'x', tool: 't.safe' }], background: true });
            process.kill(Number(hub), 'SIGKILL');
        });
        for (const deadline = Date.now() + PATIENCE_MS; ; ) {
            try {
                return await newest(1);
            } catch (error) {
                if (Date.now() > deadline) throw error;
                await new Promise((resolve) => setTimeout(resolve, 100));
            }
        }
    },
};

for (const [name, how, plan] of JSON.parse(scenes)) {
    const told = await WAYS[how](plan);
    const steps = (told.steps ?? []).map(({ status }) => status);
    console.log(JSON.stringify([name, told.status ?? told.note ?? null, steps, told.output ?? null]));
}
await client.close();
