"""The Python SDK, version 2: both eras, over Streamable HTTP, and the 2025 era over HTTP+SSE."""

from __future__ import annotations

import warnings
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx2
import mcp.client.session
import mcp_types as types
from mcp import Client, MCPError
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp.shared.exceptions import MCPDeprecationWarning

from options import Options
from rules import asking
from run import MEBIBYTE, Tap, dump, run
from subject import Connection, Json, OnProgress, Refused

MODERN = "2026-07-28"

# What the 2025 era has and the present one has not is deprecated, and tested all the same.
warnings.simplefilter("ignore", MCPDeprecationWarning)


class Version2(Connection):
    async def attach(self, client: Client) -> None:
        self.client = client
        self.negotiated = client.protocol_version
        self.era = "modern" if self.negotiated == MODERN else "legacy"
        self.capabilities = dump(client.server_capabilities)
        self.server_info = dump(client.server_info) if client.server_info else None

    async def list(self, kind: str) -> list[Json]:
        method = {
            "tools": self.client.list_tools,
            "resources": self.client.list_resources,
            "resourceTemplates": self.client.list_resource_templates,
            "prompts": self.client.list_prompts,
        }[kind]
        items, cursor = [], None
        while True:
            page = await self._ask(method(cursor=cursor, cache_mode="refresh"))
            items += page[kind]
            cursor = page.get("nextCursor")
            if cursor is None:
                return items

    async def call_tool(self, name: str, arguments: Json, progress: OnProgress | None = None) -> Json:
        return await self._ask(self.client.call_tool(name, arguments, progress_callback=progress))

    async def tell_cancelled(self) -> None:
        """This SDK tells the server by itself."""

    async def read_resource(self, uri: str) -> Json:
        return await self._ask(self.client.read_resource(uri, cache_mode="refresh"))

    async def get_prompt(self, name: str, arguments: dict[str, str]) -> Json:
        return await self._ask(self.client.get_prompt(name, arguments))

    async def complete(self, ref: Json, argument: dict[str, str], context: dict[str, str] | None = None) -> Json:
        kind = types.PromptReference if ref["type"] == "ref/prompt" else types.ResourceTemplateReference
        return await self._ask(self.client.complete(kind(**ref), argument, context))

    async def ping(self) -> Json:
        return await self._ask(self.client.send_ping())

    async def set_logging_level(self, level: str) -> Json:
        return await self._ask(self.client.set_logging_level(level))

    @asynccontextmanager
    async def watch_lists(self) -> AsyncIterator[None]:
        """In the 2025 era changes are told unasked; since 2026-07-28 one listens for them."""
        if self.era == "legacy":
            yield
            return
        async with self.client.listen(resources_list_changed=True) as events, anyio.create_task_group() as watch:
            watch.start_soon(self._note_events, events)
            yield
            watch.cancel_scope.cancel()

    @asynccontextmanager
    async def watch_resource(self, uri: str) -> AsyncIterator[None]:
        if self.era == "legacy":
            await self._ask(self.client.subscribe_resource(uri))
            yield
            await self._ask(self.client.unsubscribe_resource(uri))
            return
        async with self.client.listen(resource_subscriptions=[uri]) as events, anyio.create_task_group() as watch:
            watch.start_soon(self._note_events, events)
            yield
            watch.cancel_scope.cancel()

    async def _note_events(self, events: Any) -> None:
        async for event in events:
            if type(event).__name__ == "ResourcesListChanged":
                self.list_changes.append("resources")
            if type(event).__name__ == "ResourceUpdated":
                self.updates.append(str(event.uri))

    async def note_log_message(self, params: types.LoggingMessageNotificationParams) -> None:
        self.log_messages.append(dump(params))

    async def note_message(self, message: Any) -> None:
        if isinstance(message, types.ResourceListChangedNotification):
            self.list_changes.append("resources")
        if isinstance(message, types.ResourceUpdatedNotification):
            self.updates.append(str(message.params.uri))

    async def note_response(self, response: httpx2.Response) -> None:
        self.session_id = self.session_id or response.headers.get("mcp-session-id")

    async def _ask(self, request: Awaitable[Any]) -> Json:
        try:
            return dump(await request)
        except MCPError as error:
            raise Refused(error.error.code, error.error.message) from error


async def sample(context: Any, params: types.CreateMessageRequestParams) -> types.CreateMessageResult:
    heard = types.TextContent(type="text", text=f"heard: {dump(params)['messages'][0]['content']['text']}")
    return types.CreateMessageResult(role="assistant", content=heard, model="none")


async def elicit(context: Any, params: types.ElicitRequestParams) -> types.ElicitResult:
    return types.ElicitResult(action="accept", content=asking.NAME)


async def list_roots(context: Any) -> types.ListRootsResult:
    return types.ListRootsResult(roots=[types.Root(uri=asking.ROOT, name="project")])


ABLE: dict[str, Any] = {
    "sampling_callback": sample,
    "elicitation_callback": elicit,
    "list_roots_callback": list_roots,
}


@asynccontextmanager
async def connect(options: Options) -> AsyncIterator[Connection]:
    if options.era == "legacy":
        # In this era the SDK always offers the newest revision.
        mcp.client.session.LATEST_HANDSHAKE_VERSION = options.version
    connection = Version2()
    client = Client(
        transport(options, connection),
        mode=options.version if options.era == "modern" else options.era,
        logging_callback=connection.note_log_message,
        message_handler=connection.note_message,
        **(ABLE if options.profile == "asking" else {}),
    )
    async with client:
        client.session._dispatcher._next_id = options.first_id
        if options.era == "modern":
            # With a pinned revision the SDK takes the server for granted, and does not ask who it is.
            client.session._discover_result = None
            await client.session.discover()
        await connection.attach(client)
        yield connection


@asynccontextmanager
async def transport(options: Options, connection: Version2) -> AsyncIterator[tuple[Any, Any]]:
    if options.transport == "sse":
        async with sse_client(options.url, headers=options.headers) as (read, write):
            yield Tap(read, connection.incoming), write
        return
    async with create_mcp_http_client(headers=options.headers) as client:
        client.event_hooks["response"].append(connection.note_response)
        async with streamable_http_client(options.url, http_client=client) as (read, write):
            yield Tap(read, connection.incoming), write


async def post(url: str, headers: dict[str, str], body: Json) -> int:
    async with httpx2.AsyncClient() as client:
        return (await client.post(url, headers=headers, json=body)).status_code


def big_argument(options: Options) -> int:
    """The SDK gives up a connection for an event of more than a mebibyte, and HTTP+SSE has nothing but events."""
    return MEBIBYTE - 64 * 1024 if options.transport == "sse" else MEBIBYTE


if __name__ == "__main__":
    run(connect, post, big_argument)
