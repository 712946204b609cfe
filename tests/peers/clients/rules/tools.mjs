// Rules about tools: how they are listed, and what becomes of a call.
import { expect, expectSame } from '../report.mjs';
import { INVALID_PARAMS } from '../subject.mjs';

const TOOLS = [
    'echo', 'get-annotated-message', 'get-env', 'get-resource-links', 'get-resource-reference',
    'get-structured-content', 'get-sum', 'get-tiny-image', 'gzip-file-as-resource', 'toggle-simulated-logging',
    'toggle-subscriber-updates', 'trigger-long-running-operation',
];

// What is most easily lost on the way: planes beyond the first, line separators, escapes, joiners, direction.
const UNICODE = 'Zürich 東京 𝄞 👩\u200d👧 \u2028\u2029 "quoted" \\back\\ \u0000\u0007\n\r\t e\u0301 \u200fעברית </script>';

export async function anyTool({ to }) {
    const names = (await to.list('tools')).map((tool) => tool.name);
    expect(names.length > 0, 'there should be a tool');
    expect(new Set(names).size === names.length, 'names of tools should be unique', names);
    expectSame(names.filter((name) => !/^[A-Za-z0-9_-]{1,64}$/.test(name)), [], 'names that no model accepts');
}

export async function toolsOrder({ to }) {
    const [first, second] = [await to.list('tools'), await to.list('tools')];
    expectSame(second.map((tool) => tool.name), first.map((tool) => tool.name), 'the second list');
}

export async function toolsDescribed(subject) {
    const tools = new Map((await subject.to.list('tools')).map((tool) => [tool.name, tool]));
    expectSame(TOOLS.filter((tool) => !tools.has(subject.name(tool))), [], 'the missing tools');
    const echo = tools.get(subject.name('echo'));
    expectSame(echo.inputSchema.properties.message.type, 'string', 'the type of the argument of echo');
    expectSame(echo.inputSchema.required, ['message'], 'the required arguments of echo');
    expectSame(echo.annotations.readOnlyHint, true, 'the read-only hint of echo');
    expectSame(echo.annotations.openWorldHint, false, 'the open-world hint of echo');
    const weather = tools.get(subject.name('get-structured-content'));
    expectSame(weather.outputSchema.properties.humidity.type, 'number', 'the output schema');
}

export async function echoUnicode(subject) {
    await subject.echo(UNICODE);
    await subject.echo('');
}

export async function structuredContent(subject) {
    const result = await subject.call('get-structured-content', { location: 'Chicago' });
    const weather = { temperature: 36, conditions: 'Light rain / drizzle', humidity: 82 };
    expectSame(result.structuredContent, weather, 'the structured content');
    expectSame(JSON.parse(result.content[0].text), weather, 'its text');
}

export async function imageContent(subject) {
    const { content } = await subject.call('get-tiny-image', {});
    const image = content.find((block) => block.type === 'image');
    expectSame(image?.mimeType, 'image/png', 'the type of the image');
    expectSame(Buffer.from(image.data, 'base64').subarray(1, 4).toString(), 'PNG', 'the signature of the image');
}

/** Judged by what came over the wire: an SDK drops progress that shares a chunk with the answer. */
export async function progress(subject) {
    const before = subject.to.incoming.length;
    const seen = [];
    const result = await subject.call(
        'trigger-long-running-operation',
        { duration: 0.5, steps: 5 },
        { onprogress: (update) => seen.push(update.progress) },
    );
    expect(result.content[0].text.includes('completed'), 'the operation should complete', result);
    const messages = subject.to.incoming.slice(before);
    const updates = messages.filter((message) => message.method === 'notifications/progress');
    expectSame(updates.map(({ params }) => params.progress), [1, 2, 3, 4, 5], 'progress on the wire');
    expectSame(updates.map(({ params }) => params.total), [5, 5, 5, 5, 5], 'the total');
    const answer = messages.findIndex((message) => message.result?.content?.[0]?.text?.includes('completed'));
    const last = messages.lastIndexOf(updates.at(-1));
    expect(last < answer, 'the answer should come after all progress', { last, answer });
    expectSame(seen.slice(0, 4), [1, 2, 3, 4], 'progress that the SDK handed on');
}

export async function cancellation(subject) {
    const abort = new AbortController();
    const started = Date.now();
    const call = subject.call(
        'trigger-long-running-operation',
        { duration: 30, steps: 300 },
        { onprogress: () => abort.abort('enough'), signal: abort.signal },
    );
    const outcome = await call.then(() => 'answered', () => 'cancelled');
    expectSame(outcome, 'cancelled', 'the outcome');
    expect(Date.now() - started < 5000, 'a call should end when it is cancelled', Date.now() - started);
    await subject.echo('after the cancellation');
}

export async function unknownTool(subject) {
    await refused(subject.call('no-such-tool', {}));
}

export async function invalidArguments(subject) {
    await refused(subject.call('get-sum', { a: 'one', b: 2 }));
}

export async function dottedToolName({ to }) {
    const { content } = await to.callTool({ name: 'everything.echo', arguments: { message: 'dotted' } });
    expectSame(content[0].text, 'Echo: dotted', 'the answer to the name that people see');
}

/** A refusal is an error for invalid parameters, or a result that says that it is an error. */
async function refused(call) {
    const outcome = await call.catch((error) => error);
    const refusal = outcome.isError === true || outcome.code === INVALID_PARAMS;
    expect(refusal, 'the call should be refused', outcome.message ?? outcome);
}
