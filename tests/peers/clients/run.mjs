// The life of a client program: connect, keep the rules of the profile, take leave, report.
import { Report, expect, within } from './report.mjs';
import { rulesOf } from './rules.mjs';
import { Subject } from './subject.mjs';

const CONNECT_TIMEOUT_MS = 30_000;

/** `connect(options)` is the part that differs between SDKs: it makes a connection as `Subject` describes it. */
export async function run(options, connect) {
    const report = new Report();
    let connection;
    await report.check('connect', async () => {
        connection = await within(CONNECT_TIMEOUT_MS, 'connecting', connect(options));
    });
    if (connection !== undefined) {
        report.negotiated = connection.negotiated;
        const subject = new Subject(connection, options);
        for (const [name, rule] of Object.entries(rulesOf(options.profile, connection.era))) {
            await report.check(name, () => rule(subject));
        }
        await report.check('close', () => close(options, connection));
    }
    report.finish();
}

/** An ended session is not served any more. Without a session there is nothing to ask for. */
async function close(options, { sessionId, endSession, client }) {
    if (sessionId !== undefined) {
        await endSession();
        const { status } = await fetch(options.url, {
            method: 'POST',
            headers: {
                ...authorization(options),
                'content-type': 'application/json',
                accept: 'application/json, text/event-stream',
                'mcp-session-id': sessionId,
            },
            body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' }),
        });
        expect(status >= 400 && status < 500, 'an ended session should be refused', status);
    }
    await client.close();
}

export function authorization({ key }) {
    return key === '' ? {} : { authorization: `Bearer ${key}` };
}

/** Keeps every message that a connected transport receives, before the SDK makes something of it. */
export function tap(transport) {
    const incoming = [];
    const deliver = transport.onmessage;
    transport.onmessage = (message, extra) => {
        incoming.push(message);
        deliver(message, extra);
    };
    return incoming;
}
