"""Rules about the connection itself, and what the server says unasked."""

from __future__ import annotations

import uuid

from report import eventually, expect, expect_same
from subject import Subject


async def initialize(subject: Subject) -> None:
    connection = subject.to
    expect(connection.server_info and connection.server_info.get("name"), "the server should say its name")
    expect("tools" in connection.capabilities, "tools should be a capability", connection.capabilities)


async def ping(subject: Subject) -> None:
    expect_same(await subject.to.ping(), {}, "the answer to a ping")


async def logging(subject: Subject) -> None:
    """The server has one switch for its messages, which another client may have turned on already."""
    await subject.to.set_logging_level("debug")
    text = (await subject.call("toggle-simulated-logging", {}))["content"][0]["text"]
    if text.startswith("Stopped"):
        text = (await subject.call("toggle-simulated-logging", {}))["content"][0]["text"]
    expect(text.startswith("Started"), "the messages should be on", text)
    messages = subject.to.log_messages
    await eventually(6, "a log message", lambda: messages)
    expect("message" in messages[0]["data"].lower(), "it should be the message of the server", messages[0])
    await subject.call("toggle-simulated-logging", {})


async def list_changed(subject: Subject) -> None:
    name = f"made-{uuid.uuid4()}.txt.gz"
    making = {"name": name, "data": "data:text/plain,hello", "outputType": "resourceLink"}
    async with subject.to.watch_lists():
        link = (await subject.call("gzip-file-as-resource", making))["content"][0]
        await eventually(5, "a notice of the changed list", lambda: "resources" in subject.to.list_changes)
    listed = [each for each in await subject.to.list("resources") if each["name"].endswith(name)]
    expect_same([each["uri"] for each in listed], [link["uri"]], "the new resource in the list")
    expect_same((await subject.read(link["uri"]))["mimeType"], "application/gzip", "its type")
