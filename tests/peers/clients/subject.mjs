// What the rules speak to: a connection to server-everything, by the names that the endpoint gives to its tools.
import { expect } from './report.mjs';

export const INVALID_PARAMS = -32602;

/**
 * Wraps a connection, which an SDK's program makes of its client:
 * `{ era, version, negotiated, capabilities, serverInfo, incoming, list, callTool, readResource, getPrompt,
 * complete, ping, setLoggingLevel, onNotification, watchLists,
 * watchResource }`, with results as plain JSON.
 */
export class Subject {
    constructor(connection, { profile, hub }) {
        this.to = connection;
        this.hub = hub;
        this.prefix = profile === 'unified' ? 'everything__' : '';
    }

    /** The name that the endpoint gives to a tool or a prompt. */
    name(original) {
        return this.prefix + original;
    }

    call(tool, args, options) {
        return this.to.callTool({ name: this.name(tool), arguments: args }, options);
    }

    async echo(message) {
        const { content } = await this.call('echo', { message });
        expect(content[0].text === `Echo: ${message}`, `the echo of ${message.length} characters`, content[0].text);
    }

    /** Reads a resource, whose content must say the address that was asked for. */
    async read(uri) {
        const { contents } = await this.to.readResource({ uri });
        expect(contents[0].uri === uri, `the content should be at ${uri}`, contents[0].uri);
        return contents[0];
    }
}
