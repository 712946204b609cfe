"""The life of a client program: connect, keep the rules of the profile, take leave, report."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from options import Options, read_options
from report import Report, expect
from rules import rules_of
from subject import Connection, Subject

CONNECT_TIMEOUT_S = 30
MEBIBYTE = 1024 * 1024

Connect = Callable[[Options], AbstractAsyncContextManager[Connection]]
# Posts JSON with some headers, and says with which status it was answered.
Post = Callable[[str, dict[str, str], Any], Awaitable[int]]


def run(connect: Connect, post: Post, big_argument: Callable[[Options], int] = lambda options: MEBIBYTE) -> None:
    """`connect` is the part that differs between SDKs, as is the size of an answer that one can receive."""
    options, report = read_options(), Report()
    try:
        asyncio.run(visit(options, report, connect, post, big_argument(options)))
    except Exception as error:
        report.fail("connection", error)
    report.finish()


async def visit(options: Options, report: Report, connect: Connect, post: Post, big_argument: int) -> None:
    stay = connect(options)
    # A scope of anyio must not end before those that the SDK opens within it.
    async with asyncio.timeout(CONNECT_TIMEOUT_S):
        connection = await stay.__aenter__()
    try:
        report.checks["connect"] = True
        report.negotiated = connection.negotiated
        if options.version != connection.negotiated:
            report.fail("connect", ValueError(f"negotiated {connection.negotiated}, not {options.version}"))
        subject = Subject(connection, options, big_argument)
        for name, rule in rules_of(options.profile, connection.era).items():
            await report.check(name, lambda: rule(subject))
    finally:
        await stay.__aexit__(None, None, None)
    await report.check("close", lambda: expect_ended(options, connection, post))


async def expect_ended(options: Options, connection: Connection, post: Post) -> None:
    """An ended session is not served any more. Without a session there is nothing to ask for."""
    if connection.session_id is None:
        return
    headers = {**options.headers, "Mcp-Session-Id": connection.session_id}
    headers["Accept"] = "application/json, text/event-stream"
    status = await post(options.url, headers, {"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
    expect(400 <= status < 500, "an ended session should be refused", status)


class Tap:
    """A stream of messages that notes each one, before the SDK makes something of it."""

    def __init__(self, stream: Any, incoming: list[Any]) -> None:
        self._stream = stream
        self._incoming = incoming

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __aiter__(self) -> Tap:
        return self

    async def __anext__(self) -> Any:
        item = await self._stream.__anext__()
        if not isinstance(item, Exception):
            self._incoming.append(dump(item.message))
        return item

    async def __aenter__(self) -> Tap:
        await self._stream.__aenter__()
        return self

    async def __aexit__(self, *reason: Any) -> Any:
        return await self._stream.__aexit__(*reason)


def dump(model: Any) -> Any:
    """The JSON of a model, as it was on the wire."""
    return model.model_dump(by_alias=True, mode="json", exclude_none=True)
