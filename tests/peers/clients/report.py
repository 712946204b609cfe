"""Runs rules one after the other, each within its own time, and prints what became of them as one line of JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import anyio

RULE_TIMEOUT_S = 20


class Broken(Exception):
    """A rule was not kept."""


def expect(condition: object, message: str, seen: object = None) -> None:
    """Fails the rule that asks, with what it saw."""
    if not condition:
        raise Broken(message if seen is None else f"{message}; got {brief(seen)}")


def expect_same(actual: object, expected: object, what: str) -> None:
    expect(actual == expected, f"{what} should be {brief(expected)}", repr(actual))


async def eventually(seconds: float, what: str, condition: Callable[[], object]) -> None:
    """Returns once the condition holds; fails after the given time."""
    with anyio.move_on_after(seconds):
        while not condition():
            await anyio.sleep(0.01)
        return
    raise Broken(f"{what} did not happen within {seconds} s")


class Report:
    def __init__(self) -> None:
        self.negotiated: str | None = None
        self.checks: dict[str, bool] = {}
        self.failures: list[str] = []

    async def check(self, name: str, rule: Callable[[], Awaitable[Any]]) -> None:
        try:
            with anyio.fail_after(RULE_TIMEOUT_S):
                await rule()
            self.checks[name] = True
        except Exception as error:
            self.fail(name, error)

    def fail(self, name: str, error: BaseException) -> None:
        self.checks[name] = False
        self.failures.append(f"{name}: {describe(error)}")

    def finish(self) -> None:
        ok = not self.failures
        verdict = {"ok": ok, "negotiated": self.negotiated, "checks": self.checks, "failures": self.failures}
        print(json.dumps(verdict), flush=True)
        sys.exit(0 if ok else 1)


def describe(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return ", ".join(describe(each) for each in error.exceptions)
    return brief(f"{type(error).__name__}: {error}")


def brief(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=repr)
    return f"{text[:600]}... ({len(text)} characters)" if len(text) > 600 else text
