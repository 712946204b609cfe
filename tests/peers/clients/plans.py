"""Plans, sent with the Python SDK, version 2, by a client that can be asked. Prints how each has ended, a line of JSON each.

Usage: plans.py URL KEY MODE, where MODE is `legacy` or 2026-07-28.
"""

from __future__ import annotations

import json
import sys
import warnings
from typing import Any

import anyio
import mcp_types as types
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp.shared.exceptions import MCPDeprecationWarning

warnings.simplefilter("ignore", MCPDeprecationWarning)

ASK = {"id": "a", "tool": "t.ask"}
USES = {"id": "b", "tool": "t.safe", "arguments": {"of": {"$from": "a", "path": "/said/content/name"}}}
PLAN = json.dumps({"steps": [ASK, USES]})


def failing(on_error: str) -> dict[str, Any]:
    step = {"id": "a", "tool": "t.once", "arguments": {"fail": True}, "on_error": on_error}
    return {"steps": [step, {"id": "b", "tool": "t.safe", "depends_on": ["a"]}]}


CALLS: dict[str, dict[str, Any]] = {
    "asks": {"steps": [ASK, USES]},
    "two ask": {"steps": [ASK, {**ASK, "id": "c"}]},
    "ask in turn": {"steps": [ASK, {**ASK, "id": "c", "depends_on": ["a"]}]},
    "fail": failing("fail"),
    "skip": failing("skip"),
    "continue": failing("continue"),
    "goal": {"goal": "Ask who it is"},
}


async def elicit(context: Any, params: types.ElicitRequestParams) -> types.ElicitResult:
    return types.ElicitResult(action="accept", content={"name": "Ada"})


async def sample(context: Any, params: types.CreateMessageRequestParams) -> types.CreateMessageResult:
    plan = types.TextContent(type="text", text=PLAN)
    return types.CreateMessageResult(role="assistant", content=plan, model="none")


async def main(url: str, key: str, mode: str) -> None:
    async with (
        create_mcp_http_client(headers={"Authorization": f"Bearer {key}"}) as http,
        Client(
            streamable_http_client(url, http_client=http),
            mode=mode,
            elicitation_callback=elicit,
            sampling_callback=sample,
        ) as client,
    ):
        for name, arguments in CALLS.items():
            result = await client.call_tool("batch_execute", arguments)
            told = result.structured_content or {}
            steps = [step["status"] for step in told.get("steps", [])]
            print(json.dumps([name, told.get("status"), steps, told.get("output")]), flush=True)


anyio.run(main, *sys.argv[1:])
