// Rules about the connection itself, and what the server says unasked.
import { eventually, expect, expectSame } from '../report.mjs';

export async function initialize({ to }) {
    expectSame(to.negotiated, to.version, 'the negotiated revision');
    expect(to.serverInfo?.name, 'the server should say its name', to.serverInfo);
    expect(to.capabilities?.tools, 'tools should be among the capabilities', to.capabilities);
}

export async function ping({ to }) {
    expectSame(await to.ping(), {}, 'the answer to a ping');
}

/**
 * The server has one switch for its messages, which other clients turn as well. When turned on, it says something, of one
 * call in flight or of nobody's: so nobody turns it in step with the others.
 */
export async function logging(subject) {
    const messages = [];
    subject.to.onNotification('notifications/message', (params) => messages.push(params));
    await subject.to.setLoggingLevel('debug');
    for (let turns = 0; turns < 10 && messages.length === 0; turns += 1) {
        await subject.call('toggle-simulated-logging', {});
        await eventually(200 + 600 * Math.random(), 'a log message', () => messages.length > 0).catch(() => {});
    }
    expect(/message/i.test(messages[0]?.data), 'the server should say something', messages);
}

export async function listChanged(subject) {
    const name = `made-${crypto.randomUUID()}.txt.gz`;
    const changes = [];
    const watch = await subject.to.watchLists((kind) => changes.push(kind));
    const { content } = await subject.call('gzip-file-as-resource', {
        name,
        data: 'data:text/plain,hello',
        outputType: 'resourceLink',
    });
    expectSame((await listedAfterNotice(subject, changes, name)).uri, content[0].uri, 'its address in the list');
    expectSame((await subject.read(content[0].uri)).mimeType, 'application/gzip', 'its type');
    await watch.close();
}

/** Another client's change may be told before one's own, so that every notice is a reason to look. */
async function listedAfterNotice(subject, changes, name) {
    for (let noticed = 0; ; ) {
        await eventually(5000, 'a notice after which the resource is listed', () => changes.length > noticed);
        noticed = changes.length;
        const listed = (await subject.to.list('resources')).find((resource) => resource.name.endsWith(name));
        if (listed !== undefined) {
            return listed;
        }
    }
}
