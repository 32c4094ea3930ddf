/**
 * The file of MCP servers: which there are, and how each is reached.
 *
 * Purpose: an operator names the servers whose tools an installation has. Boundary: read and judged here, started
 * elsewhere; nothing else names a server.
 *
 * 1. A value that is secret stands in it by name, as `${secret:NAME}` in an env or a header; the worker's environment has it.
 * 2. Every error names the file, the field and the fix, and shows no value.
 */
import { readFileSync } from "node:fs";
import { BatonError } from "@baton/core";
import { z } from "zod";
import type { Config } from "./schema.ts";

const effects = ["read", "idempotent", "write", "irreversible"] as const;
const secretMark = "${secret:";
const secretReference = /\$\{secret:[A-Za-z_][A-Za-z0-9_]*\}/g;

/** Secrets in it would be seen by everybody who lists processes, or reads an error. */
const plain = (what: string) =>
  z
    .string()
    .max(8_000)
    .refine((text) => !text.includes("\0"), "has a NUL character")
    .refine((text) => !text.includes(secretMark), `is no place for a secret: ${what}`);

/** May hold references to secrets. */
const guarded = z
  .string()
  .max(16_000)
  .refine((text) => !text.includes("\0"), "has a NUL character")
  .refine(
    (text) => !text.replace(secretReference, "").includes(secretMark),
    `has a reference that is none: write ${secretMark}NAME}, NAME being a variable of the worker's environment`,
  );

const common = {
  /** What an operator knows better than the server says. */
  tools: z
    .record(
      z.string().min(1).max(120),
      z.strictObject({ effect: z.enum(effects).optional(), disabled: z.boolean().default(false) }),
    )
    .default({}),
  /** From the start of the server to its first answer. */
  startTimeoutMs: z.int().min(100).max(600_000).default(30_000),
  /** A call that shows no progress for so long is given up. */
  idleTimeoutMs: z.int().min(100).max(86_400_000).default(120_000),
  /** A list of tools that is older is asked for again before a call. */
  relistMs: z.int().min(0).max(86_400_000).default(30_000),
  /** `legacy`: the handshake of 2025, which every server knows; `auto`: asks first whether it speaks 2026-07-28. */
  protocol: z.enum(["legacy", "auto"]).default("legacy"),
};

const stdio = z.strictObject({
  ...common,
  type: z.literal("stdio").optional(),
  command: plain("put it into env").min(1),
  args: z.array(plain("put it into env, and let the server read it from there")).max(200).default([]),
  env: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "is not the name of a variable"), guarded).default({}),
  cwd: plain("name a folder").min(1).optional(),
});

const http = z.strictObject({
  ...common,
  type: z.literal("http").optional(),
  url: plain("put it into headers").regex(
    /^https?:\/\/[^/@\s]+(\/[^\s]*)?$/,
    "needs a URL like https://host/mcp, without credentials",
  ),
  headers: z
    .record(z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, "is not the name of a header"), guarded)
    .default({}),
});

const server = z.unknown().transform((given, context) => {
  const has = (key: string) => typeof given === "object" && given !== null && Object.hasOwn(given, key);
  if (has("command") === has("url")) {
    context.addIssue({ code: "custom", message: 'needs either "command" (stdio) or "url" (streamable HTTP)' });
    return z.NEVER;
  }
  const parsed = has("command") ? stdio.safeParse(given) : http.safeParse(given);
  if (parsed.success) return parsed.data;
  for (const issue of parsed.error.issues) context.addIssue({ ...issue } as Parameters<typeof context.addIssue>[0]);
  return z.NEVER;
});

/** Agents have tools of their own below these. */
const reserved: ReadonlySet<string> = new Set(["agent", "memory", "results"]);

/** Tools are named `<server>.<tool>`: the part before the dot is the server's alone. */
const serverName = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,30}$/, "needs small letters, digits and -, at most 31, starting with a letter")
  .refine((name) => !reserved.has(name), "is a name that agents' own tools stand below; take another one");

const file = z.strictObject({ mcpServers: z.record(serverName, server) });

interface McpCommon {
  readonly name: string;
  readonly tools: Readonly<
    Record<string, { readonly effect?: (typeof effects)[number] | undefined; readonly disabled: boolean }>
  >;
  readonly startTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly relistMs: number;
  readonly protocol: "legacy" | "auto";
}

export interface McpStdioServer extends McpCommon {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string | undefined;
}

export interface McpHttpServer extends McpCommon {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

export type McpServerSettings = McpStdioServer | McpHttpServer;

/** None where no file is named. Throws `invalid-configuration`. */
export function mcpServers({ mcp }: Pick<Config, "mcp">): readonly McpServerSettings[] {
  if (mcp.serversFile === undefined) return [];
  const path = mcp.serversFile;
  const parsed = file.safeParse(readJson(path));
  if (!parsed.success) {
    const problems = parsed.error.issues.flatMap((issue) => {
      const unknown = issue.code === "unrecognized_keys" ? issue.keys.map((key) => [...issue.path, key]) : [issue.path];
      const detail = detailOf(issue);
      return unknown.map((place) => ({ pointer: `/${place.join("/")}`, detail }));
    });
    const lines = problems.map(
      ({ pointer, detail }) => `- ${pointer.slice(1).replaceAll("/", ".") || path}: ${detail}`,
    );
    throw new BatonError(
      "invalid-configuration",
      `The file of MCP servers ${path} (BATON_MCP_SERVERS) is not valid:\n${lines.join("\n")}`,
      { problems },
    );
  }
  const servers = Object.entries(parsed.data.mcpServers).map(([name, settings]) => ({ name, ...settings }));
  refuseLookAlikes(path, servers);
  return servers;
}

function detailOf(issue: z.core.$ZodIssue): string {
  if (issue.code === "unrecognized_keys") return "there is no such setting; remove it or correct its name";
  if (issue.code === "invalid_key") return issue.issues[0]?.message ?? issue.message;
  return issue.message;
}

function refuseLookAlikes(path: string, servers: readonly McpServerSettings[]): void {
  const seen = new Map<string, string>();
  for (const { name } of servers) {
    const looks = name.replaceAll("-", "").replaceAll("0", "o").replaceAll("1", "l").replaceAll("rn", "m");
    const other = seen.get(looks);
    if (other !== undefined) {
      throw new BatonError(
        "invalid-configuration",
        `The file of MCP servers ${path} (BATON_MCP_SERVERS) is not valid:\n- mcpServers.${name}: looks like "${other}"; rename one of them, people and models would take one for the other`,
      );
    }
    seen.set(looks, name);
  }
}

function readJson(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code ?? String(cause);
    const message = `The file of MCP servers ${path} (BATON_MCP_SERVERS) cannot be read (${why}): create it, or correct the setting.`;
    throw new BatonError("invalid-configuration", message, { cause });
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    // The parser's message quotes the text around the mistake, and a secret may stand there.
    const at = /position (\d+)/.exec((cause as Error).message)?.[1];
    const line = at === undefined ? "" : ` at line ${text.slice(0, Number(at)).split("\n").length}`;
    throw new BatonError(
      "invalid-configuration",
      `The file of MCP servers ${path} (BATON_MCP_SERVERS) is not JSON${line}: write {"mcpServers": {"name": {"command": "…"}}}.`,
    );
  }
}
