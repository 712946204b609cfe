"""The Python SDK, version 1: the 2025 era, over Streamable HTTP and HTTP+SSE."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
from mcp import ClientSession, McpError, types
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from pydantic import AnyUrl

from options import Options
from rules import asking
from run import Tap, dump, run
from subject import Connection, Json, OnProgress, Refused


class Version1(Connection):
    era = "legacy"

    def attach(self, session: ClientSession, initialized: types.InitializeResult) -> None:
        self.session = session
        self.negotiated = str(initialized.protocolVersion)
        self.capabilities = dump(initialized.capabilities)
        self.server_info = dump(initialized.serverInfo)

    async def list(self, kind: str) -> list[Json]:
        method = {
            "tools": self.session.list_tools,
            "resources": self.session.list_resources,
            "resourceTemplates": self.session.list_resource_templates,
            "prompts": self.session.list_prompts,
        }[kind]
        items, cursor = [], None
        while True:
            page = await self._ask(method(params=types.PaginatedRequestParams(cursor=cursor)))
            items += page[kind]
            cursor = page.get("nextCursor")
            if cursor is None:
                return items

    async def call_tool(self, name: str, arguments: Json, progress: OnProgress | None = None) -> Json:
        return await self._ask(self.session.call_tool(name, arguments, progress_callback=progress))

    async def tell_cancelled(self) -> None:
        last = types.CancelledNotificationParams(requestId=self.session._request_id - 1, reason="enough")
        await self.session.send_notification(types.ClientNotification(types.CancelledNotification(params=last)))

    async def read_resource(self, uri: str) -> Json:
        return await self._ask(self.session.read_resource(AnyUrl(uri)))

    async def get_prompt(self, name: str, arguments: dict[str, str]) -> Json:
        return await self._ask(self.session.get_prompt(name, arguments))

    async def complete(self, ref: Json, argument: dict[str, str], context: dict[str, str] | None = None) -> Json:
        kind = types.PromptReference if ref["type"] == "ref/prompt" else types.ResourceTemplateReference
        return await self._ask(self.session.complete(kind(**ref), argument, context))

    async def ping(self) -> Json:
        return await self._ask(self.session.send_ping())

    async def set_logging_level(self, level: str) -> Json:
        return await self._ask(self.session.set_logging_level(level))

    @asynccontextmanager
    async def watch_lists(self) -> AsyncIterator[None]:
        yield

    @asynccontextmanager
    async def watch_resource(self, uri: str) -> AsyncIterator[None]:
        await self._ask(self.session.subscribe_resource(AnyUrl(uri)))
        yield
        await self._ask(self.session.unsubscribe_resource(AnyUrl(uri)))

    async def note_log_message(self, params: types.LoggingMessageNotificationParams) -> None:
        self.log_messages.append(dump(params))

    async def note_message(self, message: Any) -> None:
        if isinstance(message, types.ServerNotification):
            if isinstance(message.root, types.ResourceListChangedNotification):
                self.list_changes.append("resources")
            if isinstance(message.root, types.ResourceUpdatedNotification):
                self.updates.append(str(message.root.params.uri))

    async def note_response(self, response: httpx.Response) -> None:
        self.session_id = self.session_id or response.headers.get("mcp-session-id")

    async def _ask(self, request: Awaitable[Any]) -> Json:
        try:
            return dump(await request)
        except McpError as error:
            raise Refused(error.error.code, error.error.message) from error


@asynccontextmanager
async def connect(options: Options) -> AsyncIterator[Connection]:
    # The SDK always offers its newest revision.
    types.LATEST_PROTOCOL_VERSION = options.version
    connection = Version1()
    async with transport(options, connection) as (read, write):
        handlers: dict[str, Callable[..., Any]] = {
            "logging_callback": connection.note_log_message,
            "message_handler": connection.note_message,
        }
        if options.profile == "asking":
            handlers |= {"sampling_callback": sample, "elicitation_callback": elicit, "list_roots_callback": list_roots}
        async with ClientSession(Tap(read, connection.incoming), write, **handlers) as session:
            session._request_id = options.first_id
            connection.attach(session, await session.initialize())
            yield connection


@asynccontextmanager
async def transport(options: Options, connection: Version1) -> AsyncIterator[tuple[Any, Any]]:
    if options.transport == "sse":
        async with sse_client(options.url, headers=options.headers) as streams:
            yield streams
        return
    async with create_mcp_http_client(headers=options.headers) as client:
        client.event_hooks["response"].append(connection.note_response)
        async with streamable_http_client(options.url, http_client=client) as (read, write, _):
            yield read, write


async def sample(context: Any, params: types.CreateMessageRequestParams) -> types.CreateMessageResult:
    heard = types.TextContent(type="text", text=f"heard: {dump(params)['messages'][0]['content']['text']}")
    return types.CreateMessageResult(role="assistant", content=heard, model="none")


async def elicit(context: Any, params: types.ElicitRequestParams) -> types.ElicitResult:
    return types.ElicitResult(action="accept", content=asking.NAME)


async def list_roots(context: Any) -> types.ListRootsResult:
    return types.ListRootsResult(roots=[types.Root(uri=asking.ROOT, name="project")])


async def post(url: str, headers: dict[str, str], body: Json) -> int:
    async with httpx.AsyncClient() as client:
        return (await client.post(url, headers=headers, json=body)).status_code


if __name__ == "__main__":
    run(connect, post)
