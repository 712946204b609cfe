// A hub with one remote server.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/**
 * Starts a hub with the server at `url` behind it, and what its owner says of logins there, with the variables that this
 * refers to. Its data lie in a folder of their own below this one.
 */
export async function start(program, url, { oauth, variables = {} } = {}) {
    const folder = mkdtempSync(join(process.cwd(), 'hub-'));
    const data = ['--data-dir', join(folder, 'data')];
    const config = join(folder, 'mcp-config.json');
    writeFileSync(config, JSON.stringify({ mcpServers: { fixture: { type: 'streamable-http', url, oauth } } }));
    const serve = ['serve', '--port', '0', '--config', config, '--allow-upstream', 'localhost', ...data];
    const log = openSync(join(folder, 'hub.log'), 'a');
    const env = { ...process.env, ...variables };
    const hub = spawn(program, serve, { cwd: folder, env, stdio: ['ignore', 'pipe', log] });
    const address = await said(hub, /http:\/\/127\.0\.0\.1:\d+/);
    const keys = ['keys', 'create', '--project', 'default', '--name', 'conformance', ...data];
    const key = execFileSync(program, keys, { encoding: 'utf8' }).trim().split('\n').at(-1);
    return {
        key,
        url: `${address}/servers/fixture/mcp`,
        login: () => login(program, ['login', 'fixture', ...data]),
        stop: async () => {
            const ended = once(hub, 'exit');
            hub.kill('SIGTERM');
            await ended;
        }
    };
}

/** Logs in at the server as somebody would who opens the address that is printed. */
async function login(program, words) {
    const command = spawn(program, words, { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = once(command, 'exit');
    const page = await said(command, /^https?:\S+/).catch(() => undefined);
    if (page !== undefined) {
        const answer = await fetch(page, { redirect: 'manual' });
        await (await fetch(answer.headers.get('location'))).text();
    }
    const [code] = await ended;
    if (code !== 0) throw new Error('nobody could log in');
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
