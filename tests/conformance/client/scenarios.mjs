// What is done in each scenario.

/** Asks for the tools. */
async function look(client) {
    return (await client.listTools()).tools;
}

/** Answers every form with its defaults, and with yes where there are none. */
function agree(client, before = async () => {}) {
    client.setRequestHandler('elicitation/create', async ({ params }) => {
        await before();
        const fields = Object.entries(params.requestedSchema.properties);
        const filled = fields.map(([name, field]) => [name, field.default ?? true]);
        return { action: 'accept', content: Object.fromEntries(filled) };
    });
}

const call = (client, name, args = {}) => client.callTool({ name, arguments: args });

/** Something for each argument that a tool requires. */
function sample({ inputSchema: { properties = {}, required = [] } }) {
    const values = { array: [], boolean: true, integer: 1, null: null, number: 1.5, object: {}, string: 'word' };
    return Object.fromEntries(required.map(name => [name, values[properties[name]?.type ?? 'string']]));
}

export const scenarios = {
    initialize: look,
    'request-metadata': look,
    'json-schema-ref-no-deref': look,
    tools_call: client => call(client, 'add_numbers', { a: 5, b: 3 }),
    'sse-retry': client => call(client, 'test_reconnection'),

    async 'elicitation-sep1034-client-defaults'(client) {
        agree(client);
        await call(client, 'test_client_elicitation_defaults');
    },

    async 'sep-2322-client-request-state'(client) {
        let asked = 0;
        agree(client, async () => {
            // A call that has nothing to do with the one that asks.
            if (asked++ === 0) await call(client, 'test_mrtr_unrelated');
        });
        await call(client, 'test_mrtr_echo_state');
        await call(client, 'test_mrtr_no_state');
        await call(client, 'test_mrtr_no_result_type');
    },

    async 'http-standard-headers'(client) {
        for (const { name } of await look(client)) await call(client, name);
        for (const { uri } of (await client.listResources()).resources) await client.readResource({ uri });
        for (const { name } of (await client.listPrompts()).prompts) await client.getPrompt({ name });
    },

    async 'http-custom-headers'(client, { toolCalls }) {
        await look(client);
        for (const { name, arguments: args } of toolCalls) await call(client, name, args);
    },

    async 'http-invalid-tool-headers'(client) {
        for (const tool of await look(client)) await call(client, tool.name, sample(tool));
    },

    async 'json-schema-2020-12-preservation'(client) {
        const rich = (await look(client)).find(({ name }) => name === 'json_schema_2020_12_tool');
        await call(client, 'json_schema_echo', { schema: rich.inputSchema });
    }
};
