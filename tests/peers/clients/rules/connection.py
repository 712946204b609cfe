"""Rules about the connection itself, and what the server says unasked."""

from __future__ import annotations

import random
import uuid
from contextlib import suppress

from report import Broken, eventually, expect, expect_same
from subject import Json, Subject


async def initialize(subject: Subject) -> None:
    connection = subject.to
    expect(connection.server_info and connection.server_info.get("name"), "the server should say its name")
    expect("tools" in connection.capabilities, "tools should be a capability", connection.capabilities)


async def ping(subject: Subject) -> None:
    expect_same(await subject.to.ping(), {}, "the answer to a ping")


async def logging(subject: Subject) -> None:
    """The server has one switch for its messages, which other clients turn as well. When turned on, it says something,
    of one call in flight or of nobody's: so nobody turns it in step with the others."""
    await subject.to.set_logging_level("debug")
    messages = subject.to.log_messages
    for _ in range(10):
        await subject.call("toggle-simulated-logging", {})
        with suppress(Broken):
            await eventually(random.uniform(0.2, 0.8), "a log message", lambda: messages)
            break
    expect(messages and "message" in messages[0]["data"].lower(), "the server should say something", messages)


async def list_changed(subject: Subject) -> None:
    name = f"made-{uuid.uuid4()}.txt.gz"
    making = {"name": name, "data": "data:text/plain,hello", "outputType": "resourceLink"}
    async with subject.to.watch_lists():
        link = (await subject.call("gzip-file-as-resource", making))["content"][0]
        listed = await listed_after_notice(subject, name)
    expect_same(listed["uri"], link["uri"], "its address in the list")
    expect_same((await subject.read(link["uri"]))["mimeType"], "application/gzip", "its type")


async def listed_after_notice(subject: Subject, name: str) -> Json:
    """Another client's change may be told before one's own, so that every notice is a reason to look."""
    changes, noticed = subject.to.list_changes, 0
    while True:
        await eventually(5, "a notice after which the resource is listed", lambda: len(changes) > noticed)
        noticed = len(changes)
        for resource in await subject.to.list("resources"):
            if resource["name"].endswith(name):
                return resource
