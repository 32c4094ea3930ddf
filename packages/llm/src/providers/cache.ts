/**
 * Which part of a prompt a provider is asked to keep, where it keeps any: Anthropic's prompt caching.
 *
 * It pays where the same beginning is sent again within five minutes: writing costs a quarter more than other input, reading
 * a tenth to a fortieth of it. The turns of an agent do that, and each sends all the turns before it; a prompt that is sent
 * once does not. Two marks: after tools and instructions, which all turns share, and after the last message, which the next
 * turn begins with. Prompts below the least that a provider keeps are sent without marks.
 * Source: https://platform.claude.com/docs/en/build-with-claude/prompt-caching
 */
import type { ModelRequest } from "@baton/core/ports";

/** Tokens; some models keep only twice or four times as many, and pass over the marks below that. */
const leastKept = 1_024;

export const cacheMark = { anthropic: { cacheControl: { type: "ephemeral" as const } } };

/** Whether the same beginning will be sent again. */
export function asksForCache({ tools, messages }: Pick<ModelRequest, "tools" | "messages">): boolean {
  if (tools === undefined || tools.length === 0) return false;
  const chars = messages.reduce((sum, { content }) => sum + content.length, JSON.stringify(tools).length);
  return chars / 4 >= leastKept;
}
