// The TypeScript SDK, version 2: both eras, over Streamable HTTP, and the 2025 era over HTTP+SSE.
import { Client, SSEClientTransport, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';

import { ANSWERS, CAPABILITIES } from './rules/asking.mjs';
import { readOptions } from './options.mjs';
import { authorization, run, tap } from './run.mjs';

const ALWAYS_ASK = { cacheMode: 'refresh' };

await run(readOptions(), async (options) => {
    const client = makeClient(options);
    client._requestMessageId = options.firstId;
    const requestInit = { headers: authorization(options) };
    const Transport = options.transport === 'sse' ? SSEClientTransport : StreamableHTTPClientTransport;
    const transport = new Transport(new URL(options.url), { requestInit });
    await client.connect(transport);
    return {
        client,
        era: client.getProtocolEra(),
        version: options.version,
        negotiated: client.getNegotiatedProtocolVersion(),
        capabilities: client.getServerCapabilities(),
        serverInfo: client.getServerVersion(),
        incoming: tap(transport),
        sessionId: transport.sessionId,
        endSession: () => transport.terminateSession(),
        list: (kind) => list(client, kind),
        callTool: (params, request) => client.callTool(params, request),
        readResource: (params) => client.readResource(params, ALWAYS_ASK),
        getPrompt: (params) => client.getPrompt(params),
        complete: (params) => client.complete(params),
        ping: () => client.ping(),
        setLoggingLevel: (level) => client.setLoggingLevel(level),
        onNotification: (method, handler) => {
            client.setNotificationHandler(method, ({ params }) => handler(params));
        },
        watchLists: (onChange) => watchLists(client, onChange),
        watchResource: (uri, onChange) => watchResource(client, uri, onChange),
    };
});

function makeClient(options) {
    const info = { name: 'typescript-sdk-v2', version: '1.0.0' };
    if (options.profile !== 'asking') {
        return new Client(info, negotiation(options));
    }
    const client = new Client(info, { ...negotiation(options), capabilities: CAPABILITIES });
    for (const [method, answer] of Object.entries(ANSWERS)) {
        client.setRequestHandler(method, ({ params }) => answer(params));
    }
    return client;
}

function negotiation({ era, version }) {
    switch (era) {
        case 'legacy':
            return { supportedProtocolVersions: [version] };
        case 'modern':
            return { versionNegotiation: { mode: { pin: version } } };
        case 'auto':
            return { versionNegotiation: { mode: 'auto' } };
    }
}

async function list(client, kind) {
    switch (kind) {
        case 'tools':
            return (await client.listTools(undefined, ALWAYS_ASK)).tools;
        case 'resources':
            return (await client.listResources(undefined, ALWAYS_ASK)).resources;
        case 'resourceTemplates':
            return (await client.listResourceTemplates(undefined, ALWAYS_ASK)).resourceTemplates;
        case 'prompts':
            return (await client.listPrompts(undefined, ALWAYS_ASK)).prompts;
    }
}

/** In the 2025 era changes are told unasked; since 2026-07-28 one listens for them. */
async function watchLists(client, onChange) {
    client.setNotificationHandler('notifications/resources/list_changed', () => onChange('resources'));
    if (client.getProtocolEra() === 'legacy') {
        return { close: async () => {} };
    }
    return client.listen({ resourcesListChanged: true });
}

async function watchResource(client, uri, onChange) {
    client.setNotificationHandler('notifications/resources/updated', ({ params }) => onChange(params.uri));
    if (client.getProtocolEra() !== 'legacy') {
        return client.listen({ resourceSubscriptions: [uri] });
    }
    await client.subscribeResource({ uri });
    return { close: () => client.unsubscribeResource({ uri }) };
}
