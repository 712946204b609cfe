// Rules about what a server asks of its client, and about a hub that ends in between.
import { eventually, expect, expectSame } from '../report.mjs';

const PATIENCE_MS = 15_000;
const ROOT = 'file:///home/ada/project';

/** What a client that can be asked for everything says that it can do. */
export const CAPABILITIES = { sampling: {}, elicitation: {}, roots: { listChanged: true } };

/** What it answers. */
export const ANSWERS = {
    'sampling/createMessage': ({ messages }) => ({
        model: 'none',
        role: 'assistant',
        content: { type: 'text', text: `heard: ${messages[0].content.text}` },
    }),
    'elicitation/create': () => ({ action: 'accept', content: { name: 'Ada' } }),
    'roots/list': () => ({ roots: [{ uri: ROOT, name: 'project' }] }),
};

export async function sampling(subject) {
    const prompt = `two and two ${crypto.randomUUID()}`;
    const { content } = await subject.call('trigger-sampling-request', { prompt, maxTokens: 7 });
    const heard = content[0].text.includes('heard: ') && content[0].text.includes(prompt);
    expect(heard, 'the answer should have been asked of this client', content);
}

export async function elicitation(subject) {
    const { content } = await subject.call('trigger-elicitation-request', {});
    const texts = content.map(({ text }) => text).join('\n');
    expect(texts.includes('- Name: Ada'), 'the name should have been asked of this client', texts);
}

export async function roots(subject) {
    const { content } = await subject.call('get-roots-list', {});
    expect(content[0].text.includes(ROOT), 'the root should have been asked of this client', content);
}

/** The server has one switch for its updates. When turned on, it tells of every resource that is subscribed to. */
export async function resourceUpdates(subject) {
    const { uri } = (await subject.to.list('resources'))[0];
    const updated = [];
    const watch = await subject.to.watchResource(uri, (changed) => updated.push(changed));
    for (let turns = 0; turns < 6 && updated.length === 0; turns += 1) {
        await subject.call('toggle-subscriber-updates', {});
        await eventually(500, 'an update', () => updated.length > 0).catch(() => {});
    }
    expectSame(updated[0], uri, 'the resource that was updated');
    await watch.close();
}

/** Ends the hub without a word. Somebody starts it again, and the same client goes on. */
export async function restart(subject) {
    process.kill(subject.hub, 'SIGKILL');
    const deadline = Date.now() + PATIENCE_MS;
    for (;;) {
        try {
            await subject.echo('after the restart');
            break;
        } catch (error) {
            expect(Date.now() < deadline, 'the client should go on', error.message);
            await new Promise((resolve) => setTimeout(resolve, 100));
        }
    }
    await sampling(subject);
}
