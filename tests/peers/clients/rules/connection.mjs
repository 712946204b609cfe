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

/** The server has one switch for its messages, which another client may have turned on already. */
export async function logging(subject) {
    const messages = [];
    subject.to.onNotification('notifications/message', (params) => messages.push(params));
    await subject.to.setLoggingLevel('debug');
    let { content } = await subject.call('toggle-simulated-logging', {});
    if (content[0].text.startsWith('Stopped')) {
        ({ content } = await subject.call('toggle-simulated-logging', {}));
    }
    expect(content[0].text.startsWith('Started'), 'the messages should be on', content);
    await eventually(6000, 'a log message', () => messages.length > 0);
    expect(/message/i.test(messages[0].data), 'it should be the message of the server', messages[0]);
    await subject.call('toggle-simulated-logging', {});
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
    await eventually(5000, 'a notice of the changed list', () => changes.includes('resources'));
    const listed = (await subject.to.list('resources')).find((resource) => resource.name.endsWith(name));
    expect(listed, 'the new resource should be listed');
    expectSame(listed.uri, content[0].uri, 'its address in the list');
    expectSame((await subject.read(listed.uri)).mimeType, 'application/gzip', 'its type');
    await watch.close();
}
