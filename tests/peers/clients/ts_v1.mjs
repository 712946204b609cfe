// The TypeScript SDK, version 1: the 2025 era, over Streamable HTTP, HTTP+SSE and stdio.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import {
    CreateMessageRequestSchema, ElicitRequestSchema, ListRootsRequestSchema, LoggingMessageNotificationSchema,
    ResourceListChangedNotificationSchema, ResourceUpdatedNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js';

import { ANSWERS, CAPABILITIES } from './rules/asking.mjs';
import { readOptions } from './options.mjs';
import { authorization, run, tap } from './run.mjs';

await run(readOptions(), async (options) => {
    const client = makeClient(options);
    client._requestMessageId = options.firstId;
    const transport = offering(options.version, makeTransport(options));
    await client.connect(transport);
    return {
        client,
        era: 'legacy',
        version: options.version,
        negotiated: transport.negotiated,
        capabilities: client.getServerCapabilities(),
        serverInfo: client.getServerVersion(),
        incoming: tap(transport),
        sessionId: transport.sessionId,
        endSession: () => transport.terminateSession(),
        list: (kind) => listAll(client, kind),
        callTool: (params, request) => client.callTool(params, undefined, request),
        readResource: (params) => client.readResource(params),
        getPrompt: (params) => client.getPrompt(params),
        complete: (params) => client.complete(params),
        ping: () => client.ping(),
        setLoggingLevel: (level) => client.setLoggingLevel(level),
        onNotification: (_, handler) => {
            client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => handler(params));
        },
        watchLists: async (onChange) => {
            client.setNotificationHandler(ResourceListChangedNotificationSchema, () => onChange('resources'));
            return { close: async () => {} };
        },
        watchResource: async (uri, onChange) => {
            client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => onChange(params.uri));
            await client.subscribeResource({ uri });
            return { close: () => client.unsubscribeResource({ uri }) };
        },
    };
});

function makeClient({ profile }) {
    const info = { name: 'typescript-sdk-v1', version: '1.0.0' };
    if (profile !== 'asking') {
        return new Client(info);
    }
    const client = new Client(info, { capabilities: CAPABILITIES });
    for (const schema of [CreateMessageRequestSchema, ElicitRequestSchema, ListRootsRequestSchema]) {
        client.setRequestHandler(schema, ({ method, params }) => ANSWERS[method](params));
    }
    return client;
}

function makeTransport({ transport, url, command, ...options }) {
    const requestInit = { headers: authorization(options) };
    switch (transport) {
        case 'http':
            return new StreamableHTTPClientTransport(new URL(url), { requestInit });
        case 'sse':
            return new SSEClientTransport(new URL(url), { requestInit });
        case 'stdio':
            return new StdioClientTransport({ command: command[0], args: command.slice(1), env: process.env });
    }
}

/** The SDK always offers its newest revision, so an older one is put into its offer, and the answer noted. */
function offering(version, transport) {
    const send = transport.send.bind(transport);
    transport.send = (message, request) => {
        if (message.method === 'initialize') {
            const deliver = transport.onmessage;
            transport.onmessage = (answer, extra) => {
                transport.negotiated ??= answer.result?.protocolVersion;
                deliver(answer, extra);
            };
            return send({ ...message, params: { ...message.params, protocolVersion: version } }, request);
        }
        return send(message, request);
    };
    return transport;
}

async function listAll(client, kind) {
    const methods = {
        tools: (params) => client.listTools(params),
        resources: (params) => client.listResources(params),
        resourceTemplates: (params) => client.listResourceTemplates(params),
        prompts: (params) => client.listPrompts(params),
    };
    const items = [];
    let cursor;
    do {
        const page = await methods[kind](cursor === undefined ? undefined : { cursor });
        items.push(...page[kind]);
        cursor = page.nextCursor;
    } while (cursor !== undefined);
    return items;
}
