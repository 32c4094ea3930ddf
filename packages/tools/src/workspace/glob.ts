/**
 * Glob patterns over relative posix paths.
 *
 * `**` (a whole segment) any number of folders, `*` and `?` within a segment, `[a-z]` `[!a-z]`, `{a,b}`,
 * `\x` literally; names that begin with a dot are ordinary. Case counts.
 *
 * 1. Matching never backtracks into exponential time, whatever the pattern: segments are stepped
 *    as a set of states, and a segment is matched with one remembered star. (The pattern comes from a
 *    model; glob libraries compile to RegExp, where `+(a|aa)*b` hangs.)
 * 2. A walk can ask whether anything below a folder may still match, and skip it.
 */
import { inputInvalid, pathOutside } from "../definition/refusals.ts";

export interface Glob {
  readonly start: GlobStates;
  /** The states after one more path segment; empty when nothing below can match. */
  step(states: GlobStates, segment: string): GlobStates;
  accepts(states: GlobStates): boolean;
  /** Whether the pattern has this segment spelled out, without wildcards. */
  names(segment: string): boolean;
}

export type GlobStates = ReadonlySet<number>;

type Token =
  | { readonly kind: "char"; readonly value: string }
  | { readonly kind: "any" }
  | { readonly kind: "star" }
  | { readonly kind: "class"; readonly negated: boolean; readonly ranges: readonly (readonly [string, string])[] };

type Segment =
  | { readonly kind: "deep" }
  | { readonly kind: "tokens"; readonly tokens: readonly Token[] }
  | { readonly kind: "end" };

const maxPatternLength = 1_000;
const maxAlternatives = 100;

/** Throws `tool-input-invalid` or `path-outside-workspace` about `pattern`. */
export function compileGlob(pattern: string): Glob {
  if (pattern.length === 0 || pattern.length > maxPatternLength) {
    throw inputInvalid("pattern", `must have 1 to ${maxPatternLength} characters.`);
  }
  if (pattern.includes("\0")) throw pathOutside(pattern, "contains a NUL character", "pattern");
  const alternatives = expandBraces(pattern).map((text) => segmentsOf(text, pattern));
  const segments = alternatives.flat();
  const starts = new Set<number>();
  let offset = 0;
  for (const alternative of alternatives) {
    addClosed(starts, segments, offset);
    offset += alternative.length;
  }
  return {
    start: starts,
    step: (states, name) => step(segments, states, name),
    accepts: (states) => [...states].some((index) => segments[index]?.kind === "end"),
    names: (name) => segments.some((segment) => segment.kind === "tokens" && literalOf(segment.tokens) === name),
  };
}

function step(segments: readonly Segment[], states: GlobStates, name: string): GlobStates {
  const next = new Set<number>();
  const characters = Array.from(name);
  for (const index of states) {
    const segment = segments[index];
    if (segment?.kind === "deep") addClosed(next, segments, index);
    else if (segment?.kind === "tokens" && matchesTokens(segment.tokens, characters))
      addClosed(next, segments, index + 1);
  }
  return next;
}

/** `**` also stands for no folder at all, so its successor is a state as well. */
function addClosed(states: Set<number>, segments: readonly Segment[], from: number): void {
  let index = from;
  states.add(index);
  while (segments[index]?.kind === "deep") states.add(++index);
}

/** Two pointers with one remembered star: O(tokens × characters). */
function matchesTokens(tokens: readonly Token[], characters: readonly string[]): boolean {
  let token = 0;
  let character = 0;
  let starToken = -1;
  let starCharacter = 0;
  while (character < characters.length) {
    const current = tokens[token];
    if (current?.kind === "star") {
      starToken = token++;
      starCharacter = character;
    } else if (current !== undefined && matchesOne(current, characters[character] ?? "")) {
      token++;
      character++;
    } else if (starToken >= 0) {
      token = starToken + 1;
      character = ++starCharacter;
    } else return false;
  }
  while (tokens[token]?.kind === "star") token++;
  return token === tokens.length;
}

function matchesOne(token: Token, character: string): boolean {
  if (token.kind === "char") return token.value === character;
  if (token.kind === "class")
    return token.ranges.some(([from, to]) => from <= character && character <= to) !== token.negated;
  return true;
}

function literalOf(tokens: readonly Token[]): string | undefined {
  const literal = tokens.every((token) => token.kind === "char");
  return literal ? tokens.map((token) => token.value).join("") : undefined;
}

function segmentsOf(text: string, pattern: string): Segment[] {
  if (text.startsWith("/")) throw pathOutside(pattern, "is absolute", "pattern");
  const names = (text.endsWith("/") ? `${text}**` : text).split("/").filter((name) => name !== "" && name !== ".");
  if (names.includes("..")) throw pathOutside(pattern, 'contains ".."', "pattern");
  const segments = names.map(
    (name): Segment =>
      name === "**" ? { kind: "deep" } : { kind: "tokens", tokens: tokensOf(Array.from(name), pattern) },
  );
  // "a/**" means the files below a: a trailing "**" still needs a name to match.
  if (segments.at(-1)?.kind === "deep") segments.push({ kind: "tokens", tokens: [{ kind: "star" }] });
  return [...segments, { kind: "end" }];
}

function tokensOf(characters: readonly string[], pattern: string): Token[] {
  const tokens: Token[] = [];
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at] ?? "";
    if (character === "*") {
      if (tokens.at(-1)?.kind !== "star") tokens.push({ kind: "star" });
    } else if (character === "?") tokens.push({ kind: "any" });
    else if (character === "[") {
      const end = characters.indexOf("]", at + 2);
      if (end < 0)
        throw inputInvalid("pattern", `"${pattern}" has "[" without "]"; write "\\[" for the character itself.`);
      tokens.push(classOf(characters.slice(at + 1, end)));
      at = end;
    } else if (character === "\\") tokens.push({ kind: "char", value: characters[++at] ?? "\\" });
    else tokens.push({ kind: "char", value: character });
  }
  return tokens;
}

function classOf(inner: readonly string[]): Token {
  const negated = inner[0] === "!" || inner[0] === "^";
  const members = negated ? inner.slice(1) : inner;
  const ranges: [string, string][] = [];
  for (let at = 0; at < members.length; at++) {
    const from = members[at] ?? "";
    const to = members[at + 1] === "-" ? members[at + 2] : undefined;
    ranges.push([from, to ?? from]);
    if (to !== undefined) at += 2;
  }
  return { kind: "class", negated, ranges };
}

function expandBraces(pattern: string): string[] {
  const finished: string[] = [];
  const open = [pattern];
  while (open.length > 0) {
    const text = open.pop() ?? "";
    const braces = firstBraces(text);
    if (braces === undefined) finished.push(text);
    else
      for (const part of braces.parts.reverse()) open.push(text.slice(0, braces.from) + part + text.slice(braces.to));
    if (open.length + finished.length > maxAlternatives) {
      throw inputInvalid(
        "pattern",
        `"${pattern}" stands for more than ${maxAlternatives} alternatives: use fewer braces.`,
      );
    }
  }
  return finished;
}

/** The first `{…,…}` with its parts; braces without a comma at their level are literal. */
function firstBraces(text: string): { from: number; to: number; parts: string[] } | undefined {
  for (let from = 0; from < text.length; from++) {
    if (text[from] === "\\") from++;
    else if (text[from] === "{") {
      const braces = bracesAt(text, from);
      if (braces !== undefined) return braces;
    }
  }
  return undefined;
}

function bracesAt(text: string, from: number): { from: number; to: number; parts: string[] } | undefined {
  const parts: string[] = [];
  let depth = 0;
  let partFrom = from + 1;
  for (let at = from; at < text.length; at++) {
    const character = text[at];
    if (character === "\\") at++;
    else if (character === "{") depth++;
    else if (character === "," && depth === 1) {
      parts.push(text.slice(partFrom, at));
      partFrom = at + 1;
    } else if (character === "}" && --depth === 0) {
      parts.push(text.slice(partFrom, at));
      return parts.length > 1 ? { from, to: at + 1, parts } : undefined;
    }
  }
  return undefined;
}
