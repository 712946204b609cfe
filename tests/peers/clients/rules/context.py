"""Rules about resources, prompts and completion: what was listed can be used, under the name it was listed by."""

from __future__ import annotations

from report import expect, expect_same
from subject import INVALID_PARAMS, Json, Refused, Subject

PROMPTS = ["args-prompt", "completable-prompt", "resource-prompt", "simple-prompt"]
STATIC_DOCUMENT = "demo://resource/static/document/"

# Revisions before 2026-07-28 have a code of their own for it.
NOT_FOUND = [INVALID_PARAMS, -32002]


async def resources(subject: Subject) -> None:
    documents, again = await static_documents(subject), await static_documents(subject)
    expect_same(len(documents), 7, "the number of documents")
    expect_same(again, documents, "the order")
    for uri in documents[:2]:
        content = await subject.read(uri)
        expect_same(content["mimeType"], "text/markdown", "the type of the content")
        expect(content["text"].startswith("#"), "the document should be read", content["text"])


async def resource_templates(subject: Subject) -> None:
    content = await subject.read((await text_template(subject)).replace("{resourceId}", "7"))
    expect(content["text"].startswith("Resource 7:"), "the seventh resource should be read", content)


async def resource_links(subject: Subject) -> None:
    content = (await subject.call("get-resource-links", {"count": 4}))["content"]
    links = [block["uri"] for block in content if block["type"] == "resource_link"]
    expect_same(len(links), 4, "the number of links")
    for uri in links:
        await subject.read(uri)


async def unknown_resource(subject: Subject) -> None:
    try:
        result = await subject.to.read_resource("demo://resource/no/such/thing")
    except Refused as error:
        expect(error.code in NOT_FOUND, "it should be known as not found", error)
    else:
        expect(False, "an unknown resource should be an error", result)


async def prompts(subject: Subject) -> None:
    names = [prompt["name"] for prompt in await subject.to.list("prompts")]
    expect_same([prompt for prompt in PROMPTS if subject.name(prompt) not in names], [], "the missing prompts")
    prompt = await subject.to.get_prompt(subject.name("args-prompt"), {"city": "Zürich", "state": "ZH"})
    expect_same(prompt["messages"][0]["content"]["text"], "What's weather in Zürich, ZH?", "the prompt")


async def prompt_with_resource(subject: Subject) -> None:
    arguments = {"resourceType": "Text", "resourceId": "3"}
    messages = (await subject.to.get_prompt(subject.name("resource-prompt"), arguments))["messages"]
    resource: Json = next(each["content"] for each in messages if each["content"]["type"] == "resource")["resource"]
    expect(resource["text"].startswith("Resource 3:"), "the resource should be in the prompt", resource)
    await subject.read(resource["uri"])


async def completion_of_prompt(subject: Subject) -> None:
    ref = {"type": "ref/prompt", "name": subject.name("completable-prompt")}
    department = await subject.to.complete(ref, {"name": "department", "value": "E"})
    expect_same(department["completion"]["values"], ["Engineering"], "the departments")
    name = await subject.to.complete(ref, {"name": "name", "value": "D"}, {"department": "Sales"})
    expect_same(name["completion"]["values"], ["David"], "the names in Sales")


async def completion_of_template(subject: Subject) -> None:
    ref = {"type": "ref/resource", "uri": await text_template(subject)}
    answer = await subject.to.complete(ref, {"name": "resourceId", "value": "42"})
    expect_same(answer["completion"]["values"], ["42"], "the resource ids")


async def static_documents(subject: Subject) -> list[str]:
    return [each["uri"] for each in await subject.to.list("resources") if STATIC_DOCUMENT in each["uri"]]


async def text_template(subject: Subject) -> str:
    templates = [each["uriTemplate"] for each in await subject.to.list("resourceTemplates")]
    texts = [template for template in templates if "dynamic/text/{resourceId}" in template]
    expect_same(len(texts), 1, "the number of templates of text resources")
    return texts[0]
