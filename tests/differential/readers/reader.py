"""Reads a message of each line (in hexadecimal digits), and answers with a line: what the JSON of Python takes from it."""

from __future__ import annotations

import json
import sys
from typing import Any

VERSION = "io.modelcontextprotocol/protocolVersion"


class Number(str):
    """A number as it is written."""


def read(data: bytes) -> Any:
    try:
        body = json.loads(data.decode("utf-8"), parse_int=Number, parse_float=Number)
    except (ValueError, RecursionError):
        return None
    return [reading(message) for message in (body if isinstance(body, list) else [body])]


def reading(message: Any) -> dict[str, Any]:
    params = message.get("params") if isinstance(message, dict) and "method" in message else None
    meta = params.get("_meta") if isinstance(params, dict) else None
    return {
        "method": member(message, "method"),
        "id": member(message, "id"),
        "name": member(params, "name"),
        "uri": member(params, "uri"),
        "version": member(meta, VERSION),
    }


def member(of: Any, name: str) -> Any:
    if not isinstance(of, dict) or name not in of:
        return "absent"
    value = of[name]
    if isinstance(value, Number):
        return {"number": value}
    if isinstance(value, str):
        return "other" if any("\ud800" <= each <= "\udfff" for each in value) else {"text": value}
    return "other"


sys.stdout.writelines(json.dumps(read(bytes.fromhex(line))) + "\n" for line in sys.stdin)
