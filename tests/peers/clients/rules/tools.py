"""Rules about tools: how they are listed, and what becomes of a call."""

from __future__ import annotations

import base64
import json
import re

import anyio

from report import expect, expect_same
from subject import INVALID_PARAMS, Json, Refused, Subject

TOOLS = [
    "echo",
    "get-annotated-message",
    "get-env",
    "get-resource-links",
    "get-resource-reference",
    "get-structured-content",
    "get-sum",
    "get-tiny-image",
    "gzip-file-as-resource",
    "toggle-simulated-logging",
    "toggle-subscriber-updates",
    "trigger-long-running-operation",
]

# What is most easily lost on the way: planes beyond the first, line separators, escapes, joiners, direction.
UNICODE = "Zürich 東京 𝄞 👩\u200d👧 \u2028\u2029 \"quoted\" \\back\\ \0\a\n\r\t e\u0301 \u200fעברית </script>"


async def any_tool(subject: Subject) -> None:
    names = [tool["name"] for tool in await subject.to.list("tools")]
    expect(names, "there should be a tool")
    expect(len(set(names)) == len(names), "names of tools should be unique", names)
    unfit = [name for name in names if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name)]
    expect_same(unfit, [], "names that no model accepts")


async def tools_order(subject: Subject) -> None:
    first, second = [[tool["name"] for tool in await subject.to.list("tools")] for _ in range(2)]
    expect_same(second, first, "the second list")


async def tools_described(subject: Subject) -> None:
    tools = {tool["name"]: tool for tool in await subject.to.list("tools")}
    expect_same([tool for tool in TOOLS if subject.name(tool) not in tools], [], "the missing tools")
    echo = tools[subject.name("echo")]
    expect_same(echo["inputSchema"]["properties"]["message"]["type"], "string", "the argument of echo")
    expect_same(echo["inputSchema"]["required"], ["message"], "the required arguments of echo")
    expect_same(echo["annotations"]["readOnlyHint"], True, "the read-only hint of echo")
    expect_same(echo["annotations"]["openWorldHint"], False, "the open-world hint of echo")
    weather = tools[subject.name("get-structured-content")]
    expect_same(weather["outputSchema"]["properties"]["humidity"]["type"], "number", "the output schema")


async def echo_unicode(subject: Subject) -> None:
    await subject.echo(UNICODE)
    await subject.echo("")


async def structured_content(subject: Subject) -> None:
    result = await subject.call("get-structured-content", {"location": "Chicago"})
    weather = {"temperature": 36, "conditions": "Light rain / drizzle", "humidity": 82}
    expect_same(result["structuredContent"], weather, "the structured content")
    expect_same(json.loads(result["content"][0]["text"]), weather, "its text")


async def image_content(subject: Subject) -> None:
    content = (await subject.call("get-tiny-image", {}))["content"]
    images = [block for block in content if block["type"] == "image"]
    expect_same([image["mimeType"] for image in images], ["image/png"], "the images")
    expect_same(base64.b64decode(images[0]["data"])[1:4], b"PNG", "the signature of the image")


async def progress(subject: Subject) -> None:
    """Judged by what came over the wire: an SDK may drop progress that shares a chunk with the answer."""
    before = len(subject.to.incoming)
    seen: list[float] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        seen.append(progress)

    result = await subject.call("trigger-long-running-operation", {"duration": 0.5, "steps": 5}, on_progress)
    expect("completed" in result["content"][0]["text"], "the operation should complete", result)
    messages = subject.to.incoming[before:]
    updates = [message for message in messages if message.get("method") == "notifications/progress"]
    expect_same([update["params"]["progress"] for update in updates], [1, 2, 3, 4, 5], "progress on the wire")
    expect_same([update["params"]["total"] for update in updates], [5] * 5, "the total")
    answers = [index for index, message in enumerate(messages) if completes(message)]
    expect(messages.index(updates[-1]) < answers[0], "the answer should come after all progress", messages)
    expect_same(seen[:4], [1, 2, 3, 4], "progress that the SDK handed on")


def completes(message: Json) -> bool:
    return "completed" in json.dumps(message.get("result", {}))


async def cancellation(subject: Subject) -> None:
    started = anyio.current_time()
    answered = False
    with anyio.CancelScope() as scope:

        async def on_progress(progress: float, total: float | None, message: str | None) -> None:
            scope.cancel()

        await subject.call("trigger-long-running-operation", {"duration": 30, "steps": 300}, on_progress)
        answered = True
    await subject.to.tell_cancelled()
    expect(not answered, "a cancelled call should have no answer")
    took = anyio.current_time() - started
    expect(took < 5, "a call should end when it is cancelled", took)
    await subject.echo("after the cancellation")


async def unknown_tool(subject: Subject) -> None:
    await refused(subject, "no-such-tool", {})


async def invalid_arguments(subject: Subject) -> None:
    await refused(subject, "get-sum", {"a": "one", "b": 2})


async def dotted_tool_name(subject: Subject) -> None:
    result = await subject.to.call_tool("everything.echo", {"message": "dotted"})
    expect_same(result["content"][0]["text"], "Echo: dotted", "the answer to the name that people see")


async def refused(subject: Subject, tool: str, arguments: Json) -> None:
    """A refusal is an error for invalid parameters, or a result that says that it is an error."""
    try:
        result = await subject.call(tool, arguments)
    except Refused as error:
        expect_same(error.code, INVALID_PARAMS, "the code of the refusal")
    else:
        expect(result.get("isError"), "the call should be refused", result)
