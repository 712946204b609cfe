// The command line that all client programs share.
import { parseArgs } from 'node:util';

const ERAS = ['legacy', 'modern', 'auto'];
const TRANSPORTS = ['http', 'sse', 'stdio'];
const PROFILES = ['everything', 'unified', 'minimal', 'asking'];

/** Reads `--url U --key K --transport T --era E --version V --profile P`, `--hub PID` to end it, and a command after `--` for stdio. */
export function readOptions() {
    const { values, positionals } = parseArgs({
        allowPositionals: true,
        options: {
            url: { type: 'string', default: '' },
            key: { type: 'string', default: '' },
            transport: { type: 'string', default: 'http' },
            era: { type: 'string', default: 'legacy' },
            version: { type: 'string', default: '2025-11-25' },
            profile: { type: 'string', default: 'everything' },
            'first-id': { type: 'string', default: '0' },
            hub: { type: 'string', default: '0' },
        },
    });
    oneOf('era', values.era, ERAS);
    oneOf('transport', values.transport, TRANSPORTS);
    oneOf('profile', values.profile, PROFILES);
    return { ...values, firstId: Number(values['first-id']), hub: Number(values.hub), command: positionals };
}

function oneOf(name, value, allowed) {
    if (!allowed.includes(value)) {
        throw new Error(`--${name} is one of ${allowed.join(', ')}, not ${value}`);
    }
}
