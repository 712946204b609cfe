"""Which rules a connection to server-everything has to keep, whichever SDK made it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from rules import asking, connection, context, load, tools
from subject import Subject

Rule = Callable[[Subject], Awaitable[None]]

MINIMAL: dict[str, Rule] = {
    "initialize": connection.initialize,
    "tools_list": tools.any_tool,
    "tools_order": tools.tools_order,
}
EVERYTHING: dict[str, Rule] = {
    **MINIMAL,
    "tools_described": tools.tools_described,
    "echo_unicode": tools.echo_unicode,
    "structured_content": tools.structured_content,
    "image_content": tools.image_content,
    "progress": tools.progress,
    "cancellation": tools.cancellation,
    "resources": context.resources,
    "resource_templates": context.resource_templates,
    "resource_links": context.resource_links,
    "unknown_resource": context.unknown_resource,
    "prompts": context.prompts,
    "prompt_with_resource": context.prompt_with_resource,
    "completion_of_prompt": context.completion_of_prompt,
    "completion_of_template": context.completion_of_template,
    "big_argument": load.big_argument,
    "parallel_calls": load.parallel_calls,
    "unknown_tool": tools.unknown_tool,
    "invalid_arguments": tools.invalid_arguments,
    "list_changed": connection.list_changed,
}
ASKING: dict[str, Rule] = {
    **MINIMAL,
    "sampling": asking.sampling,
    "elicitation": asking.elicitation,
    "roots": asking.roots,
    "resource_updates": asking.resource_updates,
    "restart": asking.restart,
}
LEGACY: dict[str, Rule] = {"ping": connection.ping, "logging": connection.logging}
UNIFIED: dict[str, Rule] = {"dotted_tool_name": tools.dotted_tool_name}


def rules_of(profile: str, era: str) -> dict[str, Rule]:
    """The rules of a profile, by name, in the order in which they run."""
    if profile == "minimal":
        return MINIMAL
    if profile == "asking":
        return ASKING
    return {
        **EVERYTHING,
        **(LEGACY if era == "legacy" else {}),
        **(UNIFIED if profile == "unified" else {}),
    }
