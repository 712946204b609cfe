// Rules about resources, prompts and completion: what was listed can be used, under the name it was listed by.
import { expect, expectSame } from '../report.mjs';
import { INVALID_PARAMS } from '../subject.mjs';

const PROMPTS = ['args-prompt', 'completable-prompt', 'resource-prompt', 'simple-prompt'];
const STATIC_DOCUMENT = 'demo://resource/static/document/';

// Revisions before 2026-07-28 have a code of their own for it.
const NOT_FOUND = [INVALID_PARAMS, -32002];

export async function resources(subject) {
    const [documents, again] = [await staticDocuments(subject.to), await staticDocuments(subject.to)];
    expectSame(documents.length, 7, 'the number of documents');
    expectSame(again.map(({ uri }) => uri), documents.map(({ uri }) => uri), 'the order');
    for (const { uri } of documents.slice(0, 2)) {
        const content = await subject.read(uri);
        expectSame(content.mimeType, 'text/markdown', 'the type of the content');
        expect(content.text.startsWith('#'), 'the document should be read', content.text);
    }
}

export async function resourceTemplates(subject) {
    const { text } = await subject.read((await textTemplate(subject.to)).replace('{resourceId}', '7'));
    expect(text.startsWith('Resource 7:'), 'the seventh resource should be read', text);
}

export async function resourceLinks(subject) {
    const { content } = await subject.call('get-resource-links', { count: 4 });
    const links = content.filter((block) => block.type === 'resource_link');
    expectSame(links.length, 4, 'the number of links');
    for (const { uri } of links) {
        await subject.read(uri);
    }
}

export async function unknownResource({ to }) {
    const error = await to.readResource({ uri: 'demo://resource/no/such/thing' }).then(() => null, (it) => it);
    expect(error !== null, 'an unknown resource should be an error');
    expect(NOT_FOUND.includes(error.code), 'it should be known as not found', error.code ?? error.message);
}

export async function prompts(subject) {
    const names = (await subject.to.list('prompts')).map((prompt) => prompt.name);
    expectSame(PROMPTS.filter((prompt) => !names.includes(subject.name(prompt))), [], 'the missing prompts');
    const { messages } = await subject.to.getPrompt({
        name: subject.name('args-prompt'),
        arguments: { city: 'Zürich', state: 'ZH' },
    });
    expectSame(messages[0].content.text, "What's weather in Zürich, ZH?", 'the prompt');
}

export async function promptWithResource(subject) {
    const { messages } = await subject.to.getPrompt({
        name: subject.name('resource-prompt'),
        arguments: { resourceType: 'Text', resourceId: '3' },
    });
    const { resource } = messages.find(({ content }) => content.type === 'resource').content;
    expect(resource.text.startsWith('Resource 3:'), 'the resource should be in the prompt', resource);
    await subject.read(resource.uri);
}

export async function completionOfPrompt(subject) {
    const ref = { type: 'ref/prompt', name: subject.name('completable-prompt') };
    const department = await subject.to.complete({ ref, argument: { name: 'department', value: 'E' } });
    expectSame(department.completion.values, ['Engineering'], 'the departments');
    const name = await subject.to.complete({
        ref,
        argument: { name: 'name', value: 'D' },
        context: { arguments: { department: 'Sales' } },
    });
    expectSame(name.completion.values, ['David'], 'the names in Sales');
}

export async function completionOfTemplate({ to }) {
    const ref = { type: 'ref/resource', uri: await textTemplate(to) };
    const { completion } = await to.complete({ ref, argument: { name: 'resourceId', value: '42' } });
    expectSame(completion.values, ['42'], 'the resource ids');
}

async function staticDocuments(to) {
    return (await to.list('resources')).filter(({ uri }) => uri.includes(STATIC_DOCUMENT));
}

async function textTemplate(to) {
    const templates = (await to.list('resourceTemplates')).map(({ uriTemplate }) => uriTemplate);
    const text = templates.find((template) => template.includes('dynamic/text/{resourceId}'));
    expect(text, 'the template of text resources should be listed', templates);
    return text;
}
