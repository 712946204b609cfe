// Servers that want a login: what their owner says of it, and what somebody does whom the hub asks to log in.

/** The most logins that somebody has the patience for. */
const PATIENCE = 5;

/** What the owner of the server has written down, and the variables that it refers to. */
export function configured(scenario, context) {
    const { client_id: clientId, client_secret: SECRET, private_key_pem: KEY } = context;
    switch (scenario) {
        case 'auth/basic-cimd':
            return { oauth: { clientMetadataUrl: 'https://conformance-test.local/client-metadata.json' } };
        case 'auth/pre-registration':
            return { oauth: { clientId, clientSecret: '${SECRET}', issuer: context.issuer }, variables: { SECRET } };
        case 'auth/client-credentials-basic': {
            const oauth = { grant: 'client_credentials', clientId, clientSecret: '${SECRET}' };
            return { oauth, variables: { SECRET } };
        }
        case 'auth/client-credentials-jwt': {
            const oauth = { grant: 'client_credentials', clientId, privateKey: '${KEY}' };
            return { oauth, variables: { KEY } };
        }
        default:
            return {};
    }
}

/** Does something at the server, and logs in whenever it is said that somebody has to. */
export async function visit(hub, play) {
    for (let logins = 0; ; logins++) {
        try {
            return await play();
        } catch (error) {
            const asked = error.message.includes('run: mcp-orch login fixture');
            if (!asked || logins === PATIENCE || error.message.includes('limit login_steps')) throw error;
        }
        await hub.login();
    }
}
