"""Rules about size and number."""

from __future__ import annotations

import uuid

import anyio

from subject import Subject


async def big_argument(subject: Subject) -> None:
    await subject.echo("0123456789abcdef" * (subject.big_argument // 16))


async def parallel_calls(subject: Subject) -> None:
    async with anyio.create_task_group() as calls:
        for index in range(50):
            calls.start_soon(subject.echo, f"{index}:{uuid.uuid4()}")
