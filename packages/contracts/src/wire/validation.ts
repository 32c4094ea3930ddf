/** What a body must satisfy, with problems that name the field and the fix. */
import { BatonError } from "@baton/core";
import type { FieldProblem } from "@baton/core";
import { boundedText, findUnstorable, jsonPointer } from "@baton/core/json";
import type { z } from "zod";

export type Place = "body" | "query" | "path" | "header";

/** Of a body as JSON text in UTF-8. */
export const bodyLimits = { bytes: 1_000_000, depth: 32 } as const;

/** 1 to 255 visible ASCII characters without quotes. */
export function isIdempotencyKey(text: string): boolean {
  return /^[\x21\x23-\x7e]{1,255}$/.test(text);
}

/** @throws BatonError invalid-request that points at what jsonb cannot keep */
export function requireStorable(body: unknown): void {
  const pointer = findUnstorable(body);
  if (pointer === undefined) return;
  const detail =
    "contains what cannot be stored: a NUL character, half of a surrogate pair, or a number that is too large; remove it";
  throw new BatonError("invalid-request", `The body at "${pointer}" ${detail}.`, { problems: [{ pointer, detail }] });
}

const maxProblems = 50;
type Issue = z.core.$ZodIssue;

const pathOf = (parent: readonly PropertyKey[], issue: Issue): PropertyKey[] => [...parent, ...issue.path];
const pointerTo = (path: readonly PropertyKey[]): string =>
  boundedText(jsonPointer(path.map((part) => (typeof part === "number" ? part : String(part)))), 500);

/** Of a union's branches, the one that got furthest: the value was meant to be that. */
function likeliest(branches: readonly (readonly Issue[])[]): readonly Issue[] | undefined {
  const meant = branches.filter(
    (issues) => !issues.some((issue) => issue.path.length === 0 && issue.code === "invalid_type"),
  );
  return meant.length === 1 ? meant[0] : undefined;
}

function expand(issue: Issue, parent: readonly PropertyKey[], into: FieldProblem[]): void {
  if (into.length >= maxProblems) return;
  const path = pathOf(parent, issue);
  if (issue.code === "unrecognized_keys") {
    for (const key of issue.keys.slice(0, maxProblems)) {
      into.push({
        pointer: pointerTo([...path, key]),
        detail: `unknown field "${boundedText(key, 100)}"; remove it or correct its name`,
      });
    }
    return;
  }
  if (issue.code === "invalid_union") {
    const branch = likeliest(issue.errors);
    if (branch !== undefined && branch.length > 0) {
      for (const inner of branch) expand(inner, path, into);
      return;
    }
  }
  if (issue.code === "invalid_key" || issue.code === "invalid_element") {
    for (const inner of issue.issues) expand(inner, path, into);
    return;
  }
  into.push({ pointer: pointerTo(path), detail: boundedText(issue.message, 500) });
}

function problemsOf(error: z.core.$ZodError): FieldProblem[] {
  const problems: FieldProblem[] = [];
  for (const issue of error.issues) expand(issue, [], problems);
  return problems.slice(0, maxProblems);
}

/** @throws BatonError invalid-request with one problem per field */
export function validate<S extends z.ZodType>(schema: S, value: unknown, place: Place): z.output<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const problems = problemsOf(parsed.error);
  const first = problems[0];
  const where = first === undefined || first.pointer === "" ? `The ${place}` : `The ${place} at "${first.pointer}"`;
  throw new BatonError("invalid-request", `${where} is not valid: ${first?.detail ?? "see errors"}.`, {
    problems,
    details: { in: place },
  });
}
