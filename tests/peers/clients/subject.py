"""What the rules speak to: a connection to server-everything, by the names that the endpoint gives to its tools."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from options import Options
from report import expect

INVALID_PARAMS = -32602

Json = Any
OnProgress = Callable[[float, float | None, str | None], Awaitable[None]]


class Refused(Exception):
    """The server answered with an error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{message} (code {code})")
        self.code = code


class Connection(ABC):
    """What the program of an SDK makes of its client; results are plain JSON, errors are `Refused`."""

    era: str
    negotiated: str
    capabilities: Json
    server_info: Json

    def __init__(self) -> None:
        # Every message received, before the SDK makes something of it.
        self.incoming: list[Json] = []
        self.log_messages: list[Json] = []
        self.list_changes: list[str] = []
        self.updates: list[str] = []
        self.session_id: str | None = None

    @abstractmethod
    async def list(self, kind: str) -> list[Json]: ...

    @abstractmethod
    async def call_tool(self, name: str, arguments: Json, progress: OnProgress | None = None) -> Json: ...

    @abstractmethod
    async def tell_cancelled(self) -> None:
        """Tells the server that the last request is not wanted any more, where the SDK has not done so by itself."""

    @abstractmethod
    async def read_resource(self, uri: str) -> Json: ...

    @abstractmethod
    async def get_prompt(self, name: str, arguments: dict[str, str]) -> Json: ...

    @abstractmethod
    async def complete(self, ref: Json, argument: dict[str, str], context: dict[str, str] | None = None) -> Json: ...

    @abstractmethod
    async def ping(self) -> Json: ...

    @abstractmethod
    async def set_logging_level(self, level: str) -> Json: ...

    @abstractmethod
    def watch_lists(self) -> AbstractAsyncContextManager[None]:
        """While it is entered, the kinds of lists that change are added to `list_changes`."""

    @abstractmethod
    def watch_resource(self, uri: str) -> AbstractAsyncContextManager[None]:
        """While it is entered, the resource is added to `updates` whenever it changes."""


class Subject:
    def __init__(self, connection: Connection, options: Options, big_argument: int) -> None:
        self.to = connection
        self.prefix = "everything__" if options.profile == "unified" else ""
        self.big_argument = big_argument
        # The process of the hub, for the rule that ends it, and where the next one is.
        self.hub = options.hub
        self.url = options.url

    def name(self, original: str) -> str:
        """The name that the endpoint gives to a tool or a prompt."""
        return self.prefix + original

    async def call(self, tool: str, arguments: Json, progress: OnProgress | None = None) -> Json:
        return await self.to.call_tool(self.name(tool), arguments, progress)

    async def echo(self, message: str) -> None:
        result = await self.call("echo", {"message": message})
        text = result["content"][0]["text"]
        expect(text == f"Echo: {message}", f"the echo of {len(message)} characters", text)

    async def read(self, uri: str) -> Json:
        """Reads a resource, whose content must say the address that was asked for."""
        content = (await self.to.read_resource(uri))["contents"][0]
        expect(content["uri"] == uri, f"the content should be at {uri}", content["uri"])
        return content
