// Reads a message of each line (in hexadecimal digits), and answers with a line: what the JSON of JavaScript takes from it.
import { readFileSync } from 'node:fs';

const VERSION = 'io.modelcontextprotocol/protocolVersion';
const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function read(bytes) {
    let body;
    try {
        body = JSON.parse(text.decode(bytes));
    } catch {
        return null;
    }
    return (Array.isArray(body) ? body : [body]).map(reading);
}

function reading(message) {
    const asks = has(message, 'method');
    const params = asks ? message.params : undefined;
    return {
        method: member(message, 'method'),
        id: member(message, 'id'),
        name: member(params, 'name'),
        uri: member(params, 'uri'),
        version: member(member(params, '_meta') === 'absent' ? undefined : params._meta, VERSION),
    };
}

function has(object, name) {
    return typeof object === 'object' && object !== null && Object.hasOwn(object, name);
}

function member(object, name) {
    if (!has(object, name)) {
        return 'absent';
    }
    const value = object[name];
    switch (typeof value) {
        case 'string':
            return /\p{Surrogate}/u.test(value) ? 'other' : { text: value };
        case 'number':
            return { number: String(value) };
        default:
            return 'other';
    }
}

const lines = readFileSync(0, 'latin1').split('\n').slice(0, -1);
process.stdout.write(lines.map((line) => `${JSON.stringify(read(Buffer.from(line, 'hex')))}\n`).join(''));
