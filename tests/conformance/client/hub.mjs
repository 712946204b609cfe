// A hub with one remote server.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** Starts a hub with the server at `url` behind it. Its data lie in a folder of their own below this one. */
export async function start(program, url) {
    const folder = mkdtempSync(join(process.cwd(), 'hub-'));
    const data = ['--data-dir', join(folder, 'data')];
    const config = join(folder, 'mcp-config.json');
    writeFileSync(config, JSON.stringify({ mcpServers: { fixture: { type: 'streamable-http', url } } }));
    const serve = ['serve', '--port', '0', '--config', config, '--allow-upstream', 'localhost', ...data];
    const log = openSync(join(folder, 'hub.log'), 'a');
    const hub = spawn(program, serve, { cwd: folder, stdio: ['ignore', 'pipe', log] });
    const address = await said(hub, /http:\/\/127\.0\.0\.1:\d+/);
    const keys = ['keys', 'create', '--project', 'default', '--name', 'conformance', ...data];
    const key = execFileSync(program, keys, { encoding: 'utf8' }).trim().split('\n').at(-1);
    return {
        key,
        url: `${address}/servers/fixture/mcp`,
        stop: async () => {
            const ended = once(hub, 'exit');
            hub.kill('SIGTERM');
            await ended;
        }
    };
}

/** Waits for words that a program prints. What it prints later is let go by. */
async function said(program, words) {
    const lines = createInterface({ input: program.stdout });
    for await (const line of lines) {
        const found = words.exec(line);
        if (found === null) continue;
        program.stdout.resume();
        return found[0];
    }
    throw new Error('the hub has ended');
}
