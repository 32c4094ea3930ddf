/**
 * Secrets at the boundary of tools.
 *
 * 1. A secret has a name in the operator's file and a value in the environment of the process that calls; it is looked up
 *    when the server is started, and kept nowhere else.
 * 2. What comes back from a server never carries it on: every string and key of a message, an error or a line of its log
 *    has the value replaced by the name.
 */
import { BatonError } from "@baton/core";

export type Environment = Readonly<Record<string, string | undefined>>;

/** Shorter ones stand in ordinary text by chance. */
const leastChars = 8;
const deepest = 200;

export interface Resolved {
  readonly values: Readonly<Record<string, string>>;
  /** By value. */
  readonly secrets: ReadonlyMap<string, string>;
}

/** `of` names the place in messages, e.g. `mcpServers.github.env`. Throws `invalid-configuration`. */
export function resolveSecrets(
  given: Readonly<Record<string, string>>,
  of: string,
  environment: Environment,
): Resolved {
  const secrets = new Map<string, string>();
  const values = Object.entries(given).map(([key, text]) => {
    const value = text.replace(/\$\{secret:([A-Za-z_][A-Za-z0-9_]*)\}/g, (_whole, name: string) => {
      const secret = environment[name];
      const problem =
        secret === undefined || secret === ""
          ? `is not set in this process's environment; set ${name}, or take the reference out`
          : secret.length < leastChars
            ? `has fewer than ${leastChars} characters: it could not be told from other text`
            : undefined;
      if (problem !== undefined)
        throw new BatonError("invalid-configuration", `${of}.${key}: the secret ${name} ${problem}.`);
      secrets.set(secret as string, name);
      return secret as string;
    });
    return [key, value] as const;
  });
  return { values: Object.fromEntries(values), secrets };
}

export interface Cleaner {
  text(text: string): string;
  /** A copy without secrets, without `__proto__` and without NUL. Throws `tool-output-invalid` where it is too deep. */
  value<T>(value: T): T;
}

export function createCleaner(secrets: ReadonlyMap<string, string>): Cleaner {
  // The longest first: one secret may be the beginning of another.
  const known = [...secrets].sort(([a], [b]) => b.length - a.length);
  const text = (given: string): string => {
    let clean = given;
    for (const [value, name] of known) if (clean.includes(value)) clean = clean.replaceAll(value, `[secret ${name}]`);
    return clean.includes("\0") ? clean.replaceAll("\0", "\uFFFD") : clean;
  };
  const copy = (given: unknown, depth: number): unknown => {
    if (typeof given === "string") return text(given);
    if (given === null || typeof given !== "object") return given;
    if (depth > deepest) {
      const message = `An MCP server's message is nested more than ${deepest} deep.`;
      throw new BatonError("tool-output-invalid", message, { details: { sent: true } });
    }
    if (Array.isArray(given)) return given.map((child) => copy(child, depth + 1));
    const entries = Object.entries(given).filter(([key]) => key !== "__proto__");
    return Object.fromEntries(entries.map(([key, child]) => [text(key), copy(child, depth + 1)]));
  };
  return { text, value: <T>(given: T) => copy(given, 0) as T };
}
