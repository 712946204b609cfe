// Which rules a connection to server-everything has to keep, whichever SDK made it.
import { elicitation, resourceUpdates, restart, roots, sampling } from './rules/asking.mjs';
import { bigArgument, parallelCalls } from './rules/load.mjs';
import { initialize, ping, logging, listChanged } from './rules/connection.mjs';
import {
    completionOfPrompt, completionOfTemplate, promptWithResource, prompts, resourceLinks, resourceTemplates,
    resources, unknownResource,
} from './rules/context.mjs';
import {
    anyTool, cancellation, dottedToolName, echoUnicode, imageContent, invalidArguments, progress, structuredContent,
    toolsDescribed, toolsOrder, unknownTool,
} from './rules/tools.mjs';

const MINIMAL = { initialize, tools_list: anyTool, tools_order: toolsOrder };
const EVERYTHING = {
    ...MINIMAL,
    tools_described: toolsDescribed,
    echo_unicode: echoUnicode,
    structured_content: structuredContent,
    image_content: imageContent,
    progress,
    cancellation,
    resources,
    resource_templates: resourceTemplates,
    resource_links: resourceLinks,
    unknown_resource: unknownResource,
    prompts,
    prompt_with_resource: promptWithResource,
    completion_of_prompt: completionOfPrompt,
    completion_of_template: completionOfTemplate,
    big_argument: bigArgument,
    parallel_calls: parallelCalls,
    unknown_tool: unknownTool,
    invalid_arguments: invalidArguments,
    list_changed: listChanged,
};
const ASKING = {
    ...MINIMAL,
    sampling,
    elicitation,
    roots,
    resource_updates: resourceUpdates,
    restart,
};
const LEGACY = { ping, logging };
const UNIFIED = { dotted_tool_name: dottedToolName };

/** The rules of a profile, by name, in the order in which they run. */
export function rulesOf(profile, era) {
    if (profile === 'minimal') {
        return MINIMAL;
    }
    if (profile === 'asking') {
        return ASKING;
    }
    return {
        ...EVERYTHING,
        ...(era === 'legacy' ? LEGACY : {}),
        ...(profile === 'unified' ? UNIFIED : {}),
    };
}
