// Rules about size and number.

const MEBIBYTE = 1024 * 1024;

export async function bigArgument(subject) {
    await subject.echo('0123456789abcdef'.repeat(MEBIBYTE / 16));
}

export async function parallelCalls(subject) {
    const payloads = Array.from({ length: 50 }, (_, index) => `${index}:${crypto.randomUUID()}`);
    await Promise.all(payloads.map((payload) => subject.echo(payload)));
}
