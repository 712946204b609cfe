// A server of both eras on the TypeScript SDK, version 2. Its first line says its port, later ones what it noticed.
import { createServer } from 'node:http';
import { Readable } from 'node:stream';
import { pathToFileURL } from 'node:url';

const { Server, createMcpHandler } = await import(pathToFileURL(process.argv[2]));

const TOOLS = ['echo', 'count', 'größe', 'wait', 'change'].map((name) => ({ name, inputSchema: { type: 'object' } }));
const text = (words) => ({ content: [{ type: 'text', text: words }] });

const handler = createMcpHandler(() => {
  const server = new Server(
    { name: 'dual', version: '1' },
    { capabilities: { tools: { listChanged: true } } },
  );
  server.setRequestHandler('tools/list', () => ({ tools: TOOLS }));
  server.setRequestHandler('tools/call', async ({ params }, { mcpReq }) => {
    switch (params.name) {
      case 'count':
        for (let progress = 1; progress <= 3; progress++) {
          const progressToken = params._meta.progressToken;
          await mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress, total: 3 } });
        }
        return text('counted');
      case 'wait':
        console.log('waiting');
        await new Promise((resolve) => mcpReq.signal.addEventListener('abort', resolve));
        console.log('cancelled');
        return text('late');
      case 'change':
        handler.notify.toolsChanged();
        return text('changed');
      default:
        return text(`${params.name}: ${params.arguments?.message}`);
    }
  });
  return server;
});

const http = createServer(async (incoming, outgoing) => {
  const gone = new AbortController();
  outgoing.on('close', () => gone.abort());
  const body = ['GET', 'HEAD'].includes(incoming.method) ? undefined : Readable.toWeb(incoming);
  const request = new Request(new URL(incoming.url, 'http://127.0.0.1'), {
    method: incoming.method,
    headers: Object.fromEntries(Object.entries(incoming.headers)),
    body,
    duplex: 'half',
    signal: gone.signal,
  });
  const response = await handler.fetch(request);
  outgoing.writeHead(response.status, Object.fromEntries(response.headers));
  outgoing.flushHeaders();
  if (response.body) Readable.fromWeb(response.body).on('error', () => {}).pipe(outgoing);
  else outgoing.end();
});
http.listen(0, '127.0.0.1', () => console.log(http.address().port));
