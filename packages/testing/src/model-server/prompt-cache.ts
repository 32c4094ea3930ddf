/**
 * Prompt caching as Anthropic's API does it: blocks in the order tools, system, messages; a block with `cache_control` ends a
 * beginning that is kept, and the longest beginning that is kept already is read.
 *
 * A token is four characters. Not modelled: the end of what is kept after five minutes, and the look-back of 20 blocks.
 */
import type { CachedInput, ModelServerRequest } from "./script.ts";

const leastKept = 1_024;

interface Block {
  readonly text: string;
  readonly isMarked: boolean;
}

export class PromptCache {
  readonly #kept = new Set<string>();

  /** Of a request without marks: nothing is read and nothing written. */
  take({ body, wire }: Pick<ModelServerRequest, "body" | "wire">): CachedInput | undefined {
    if (wire !== "anthropic") return undefined;
    const blocks = blocksOf(body);
    const lastMark = blocks.findLastIndex(({ isMarked }) => isMarked);
    if (lastMark < 0) return undefined;
    let begun = String(body["model"]);
    let read = 0;
    let marked = 0;
    let total = 0;
    for (const [at, { text, isMarked }] of blocks.entries()) {
      begun += `\n${text}`;
      total += Math.ceil(text.length / 4);
      if (total < leastKept) continue;
      if (this.#kept.has(begun)) read = total;
      if (isMarked) this.#kept.add(begun);
      if (at <= lastMark && isMarked) marked = total;
    }
    return { read, written: Math.max(0, marked - read), fresh: total - Math.max(read, marked) };
  }
}

function blocksOf(body: Readonly<Record<string, unknown>>): readonly Block[] {
  const messages = listOf(body["messages"]).flatMap((message) => {
    const { role, content } = message as { role?: unknown; content?: unknown };
    return contentOf(content).map((block) => ({ role, block }));
  });
  return [...listOf(body["tools"]), ...contentOf(body["system"]), ...messages].map((value) => ({
    text: JSON.stringify(value, (name, part: unknown) => (name === "cache_control" ? undefined : part)),
    isMarked: JSON.stringify(value).includes('"cache_control"'),
  }));
}

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
const contentOf = (content: unknown): readonly unknown[] =>
  typeof content === "string" ? [{ type: "text", text: content }] : listOf(content);
