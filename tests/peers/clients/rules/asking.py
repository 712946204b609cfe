"""Rules about what a server asks of its client, and about a hub that ends in between."""

from __future__ import annotations

import os
import signal
import uuid
from contextlib import suppress
from urllib.parse import urlsplit

import anyio

from report import Broken, eventually, expect, expect_same
from subject import Subject

PATIENCE_S = 15
ROOT = "file:///home/ada/project"

# What a client that can be asked for everything answers.
NAME = {"name": "Ada"}


async def sampling(subject: Subject) -> None:
    prompt = f"two and two {uuid.uuid4()}"
    content = (await subject.call("trigger-sampling-request", {"prompt": prompt, "maxTokens": 7}))["content"]
    heard = "heard: " in content[0]["text"] and prompt in content[0]["text"]
    expect(heard, "the answer should have been asked of this client", content)


async def elicitation(subject: Subject) -> None:
    content = (await subject.call("trigger-elicitation-request", {}))["content"]
    texts = "\n".join(block["text"] for block in content)
    expect("- Name: Ada" in texts, "the name should have been asked of this client", texts)


async def roots(subject: Subject) -> None:
    content = (await subject.call("get-roots-list", {}))["content"]
    expect(ROOT in content[0]["text"], "the root should have been asked of this client", content)


async def resource_updates(subject: Subject) -> None:
    """The server has one switch for its updates. When turned on, it tells of every resource that is subscribed to."""
    uri = (await subject.to.list("resources"))[0]["uri"]
    updated = subject.to.updates
    async with subject.to.watch_resource(uri):
        for _ in range(6):
            await subject.call("toggle-subscriber-updates", {})
            with suppress(Broken):
                await eventually(0.5, "an update", lambda: updated)
                break
    expect_same(updated[:1], [uri], "the resource that was updated")


async def restart(subject: Subject) -> None:
    """Ends the hub without a word. Somebody starts it again, and the same client goes on."""
    os.kill(subject.hub, signal.SIGKILL)
    with anyio.fail_after(PATIENCE_S):
        await next_hub(subject.hub, subject.url)
    await subject.echo("after the restart")
    await sampling(subject)


async def next_hub(last: int, url: str) -> None:
    """A request for which there is no hub ends the SDK's connection for good, so that none is made before there is one."""
    # The next hub may be there within a moment, so that the port need not be seen closed.
    while is_there(last):
        await anyio.sleep(0.01)
    while not await is_open(url):
        await anyio.sleep(0.05)


def is_there(process: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(process, 0)
        return True
    return False


async def is_open(url: str) -> bool:
    address = urlsplit(url)
    try:
        async with await anyio.connect_tcp(address.hostname, address.port):
            return True
    except OSError:
        return False
