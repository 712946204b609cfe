// Runs rules one after the other, each within its own time, and prints what became of them as one line of JSON.

const RULE_TIMEOUT_MS = 20_000;

/** Fails the rule that asks, with what it saw. */
export function expect(condition, message, seen) {
    if (!condition) {
        throw new Error(seen === undefined ? message : `${message}; got ${brief(seen)}`);
    }
}

/** Expects two values to have the same JSON. */
export function expectSame(actual, expected, what) {
    const [left, right] = [JSON.stringify(actual), JSON.stringify(expected)];
    expect(left === right, `${what} should be ${brief(expected)}`, actual);
}

/** Settles like `promise`, or rejects after `ms`. */
export async function within(ms, what, promise) {
    let timer;
    const late = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(`${what} took longer than ${ms} ms`)), ms);
    });
    try {
        return await Promise.race([promise, late]);
    } finally {
        clearTimeout(timer);
    }
}

/** Resolves once `condition()` holds; rejects after `ms`. */
export async function eventually(ms, what, condition) {
    const deadline = Date.now() + ms;
    while (!condition()) {
        expect(Date.now() < deadline, `${what} did not happen within ${ms} ms`);
        await new Promise((resolve) => setTimeout(resolve, 10));
    }
}

export class Report {
    negotiated = null;
    checks = {};
    failures = [];

    async check(name, rule) {
        try {
            await within(RULE_TIMEOUT_MS, name, rule());
            this.checks[name] = true;
        } catch (error) {
            this.checks[name] = false;
            this.failures.push(`${name}: ${describe(error)}`);
        }
        return this.checks[name];
    }

    /** Prints the verdict and ends the process, whatever a connection may still hold open. */
    finish() {
        const ok = this.failures.length === 0;
        const verdict = { ok, negotiated: this.negotiated, checks: this.checks, failures: this.failures };
        process.stdout.write(`${JSON.stringify(verdict)}\n`, () => process.exit(ok ? 0 : 1));
    }
}

function describe(error) {
    const code = error?.code === undefined ? '' : ` (code ${error.code})`;
    const cause = error?.cause === undefined ? '' : `, caused by ${error.cause}`;
    return brief(`${error?.message ?? error}${code}${cause}`);
}

function brief(value) {
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    return text.length > 600 ? `${text.slice(0, 600)}... (${text.length} characters)` : text;
}
