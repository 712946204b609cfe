"""A server of both eras on the Python SDK, version 2. Its first line says its port, later ones what it noticed."""

import socket
import sys

import anyio
import uvicorn
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.streamable_http import EventMessage, EventStore

server = MCPServer("dual")


class Memory(EventStore):
    def __init__(self):
        self.events = []

    async def store_event(self, stream_id, message):
        self.events.append((stream_id, message))
        return str(len(self.events))

    async def replay_events_after(self, last_event_id, send_callback):
        stream = self.events[int(last_event_id) - 1][0]
        for number, (owner, message) in enumerate(self.events, 1):
            if number > int(last_event_id) and owner == stream and message is not None:
                await send_callback(EventMessage(message, str(number)))
        return stream


@server.tool()
async def echo(message: str) -> str:
    return f"echo: {message}"


@server.tool()
async def count(ctx: Context) -> str:
    for progress in range(1, 4):
        await ctx.report_progress(progress, 3)
    return "counted"


@server.tool()
async def poll(ctx: Context) -> str:
    await ctx.report_progress(1, 2)
    await ctx.close_sse_stream()
    await anyio.sleep(0.3)
    await ctx.report_progress(2, 2)
    return "polled"


@server.tool()
async def wait() -> str:
    print("waiting", flush=True)
    try:
        await anyio.sleep(600)
    finally:
        print("cancelled", flush=True)
    return "late"


if sys.argv[1] == "sse":
    app = server.sse_app()
else:
    app = server.streamable_http_app(event_store=Memory(), retry_interval=50)
door = socket.socket()
door.bind(("127.0.0.1", 0))
door.listen()
print(door.getsockname()[1], flush=True)
uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1)).run(sockets=[door])
