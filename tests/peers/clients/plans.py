"""Plans, sent with the Python SDK, version 2, by a client that can be asked. Prints how each has ended, a line of JSON each.

Usage: plans.py URL KEY MODE HUB SCENES: MODE is `legacy` or 2026-07-28, HUB a process that is ended in the midst of a plan, and
SCENES a JSON array of [name, how it is called, arguments].
"""

from __future__ import annotations

import json
import os
import signal
import sys
import warnings
from contextlib import suppress
from typing import Any

import anyio
import mcp_types as types
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp.shared.exceptions import MCPDeprecationWarning
from rules.asking import next_hub

warnings.simplefilter("ignore", MCPDeprecationWarning)

PATIENCE_S = 20


async def elicit(context: Any, params: types.ElicitRequestParams) -> types.ElicitResult:
    if params.message.startswith("Run this plan?") and "refused" in params.message:
        return types.ElicitResult(action="decline")
    return types.ElicitResult(action="accept", content={"name": "Ada"})


async def sample(context: Any, params: types.CreateMessageRequestParams) -> types.CreateMessageResult:
    """The goal of these plans is a plan."""
    said = params.messages[0].content.text
    plan = types.TextContent(type="text", text=said.rsplit("Goal: ", 1)[1])
    return types.CreateMessageResult(role="assistant", content=plan, model="none")


class Caller:
    def __init__(self, client: Client) -> None:
        self.client = client

    async def call(self, tool: str, arguments: dict[str, Any], **more: Any) -> dict[str, Any]:
        result = await self.client.call_tool(tool, arguments, **more)
        return result.structured_content or {}

    async def newest(self, at: int = 0) -> dict[str, Any]:
        """How the run stands that was begun last, or so many before it, when it has ended."""
        runs = (await self.call("batch_status", {}))["runs"]
        return await self.call("batch_status", {"run": runs[at]["run"], "wait": True})

    async def cancel(self, plan: dict[str, Any]) -> dict[str, Any]:
        """Leaves the call as soon as a step has ended."""
        with anyio.CancelScope() as scope:

            async def leave(*_progress: Any) -> None:
                scope.cancel()

            await self.call("batch_execute", plan, progress_callback=leave)
        return await self.newest()

    async def background(self, plan: dict[str, Any]) -> dict[str, Any]:
        run = await self.call("batch_execute", {**plan, "background": True})
        if run["status"] != "running":
            return run
        return await self.call("batch_status", {"run": run["run"], "wait": True})

    async def outlive(self, plan: dict[str, Any], url: str, hub: int) -> dict[str, Any]:
        """Ends the hub without a word when a step has ended. Somebody starts it again."""
        ended = anyio.Event()

        async def on_progress(*_progress: Any) -> None:
            ended.set()

        async def wait_in_vain() -> None:
            with suppress(Exception):
                await self.call("batch_execute", plan, progress_callback=on_progress)

        async with anyio.create_task_group() as waiting:
            waiting.start_soon(wait_in_vain)
            await ended.wait()
            # As soon as the store has a run in the background, it has all that was before it.
            await self.call("batch_execute", {"steps": [{"id": "x", "tool": "t.safe"}], "background": True})
            os.kill(hub, signal.SIGKILL)
            with anyio.fail_after(PATIENCE_S):
                await next_hub(hub, url)
            told = await self.newest(1)
            waiting.cancel_scope.cancel()
        return told


async def main(url: str, key: str, mode: str, hub: str, scenes: str) -> None:
    async with (
        create_mcp_http_client(headers={"Authorization": f"Bearer {key}"}) as http,
        Client(
            streamable_http_client(url, http_client=http),
            mode=mode,
            elicitation_callback=elicit,
            sampling_callback=sample,
        ) as client,
    ):
        caller = Caller(client)
        for name, how, plan in json.loads(scenes):
            match how:
                case "background":
                    told = await caller.background(plan)
                case "cancel":
                    told = await caller.cancel(plan)
                case "outlive":
                    told = await caller.outlive(plan, url, int(hub))
                case _:
                    told = await caller.call("batch_execute", plan)
            steps = [step["status"] for step in told.get("steps", [])]
            print(json.dumps([name, told.get("status", told.get("note")), steps, told.get("output")]), flush=True)


anyio.run(main, *sys.argv[1:])
