"""The command line that all client programs share."""

from __future__ import annotations

import argparse
from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    url: str
    key: str
    transport: str
    era: str
    version: str
    profile: str
    first_id: int
    hub: int

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"} if self.key else {}


def read_options() -> Options:
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--key", default="")
    parser.add_argument("--transport", choices=["http", "sse"], default="http")
    parser.add_argument("--era", choices=["legacy", "modern", "auto"], default="legacy")
    parser.add_argument("--version", default="2025-11-25")
    parser.add_argument("--profile", choices=["everything", "unified", "minimal", "asking"], default="everything")
    parser.add_argument("--first-id", type=int, default=0)
    parser.add_argument("--hub", type=int, default=0)
    return Options(**vars(parser.parse_args()))
