/**
 * What the children of the stack print: whole in a file each, and on the screen only what needs a person.
 *
 * 1. A line is JSON of the log, or plain text from a crash; both are kept as they are.
 */
import { createWriteStream, mkdirSync } from "node:fs";
import type { WriteStream } from "node:fs";
import { join } from "node:path";
import type { ChildLine } from "@baton/embedded";

const keptLines = 20;

export interface ChildLog {
  readonly folder: string;
  write(line: ChildLine): void;
  /** A new life of that child begins: its last words are no longer the former one's. */
  forget(name: string): void;
  /** The last lines of one child, for when it does not come up. */
  lastLines(name: string): readonly string[];
}

/** `show` gets what a person should see: warnings, errors, and text that is no log line. */
export function openChildLog(dataDir: string, verbose: boolean, show: (text: string) => void): ChildLog {
  const folder = join(dataDir, "logs");
  mkdirSync(folder, { recursive: true });
  const files = new Map<string, WriteStream>();
  const last = new Map<string, string[]>();
  return {
    folder,
    write(line) {
      const { name, text } = line;
      const file = files.get(name) ?? createWriteStream(join(folder, `${name}.log`), { flags: "w" });
      files.set(name, file);
      file.write(`${text}\n`);
      const kept = last.get(name) ?? [];
      last.set(name, [...kept, text].slice(-keptLines));
      const readable = readableLine(text, verbose);
      if (readable !== undefined) show(`${name}  ${readable}`);
    },
    forget: (name) => void last.delete(name),
    lastLines: (name) => (last.get(name) ?? []).map((text) => readableLine(text, true) ?? text),
  };
}

/** Undefined for what nobody needs to see. */
function readableLine(text: string, verbose: boolean): string | undefined {
  const entry = parsed(text);
  if (entry === undefined) return text.trim() === "" ? undefined : text;
  const { level, event, time: _time, pid: _pid, service: _service, ...fields } = entry;
  if (!verbose && level !== "warn" && level !== "error") return undefined;
  const shown = Object.entries(fields).map(([name, value]) => `${name}=${brief(value)}`);
  return [level, event, ...shown].filter((part) => part !== undefined).join(" ");
}

function parsed(text: string): Record<string, unknown> | undefined {
  if (!text.startsWith("{")) return undefined;
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

/** Of an error its message; its stack stands in the file. */
function brief(value: unknown): string {
  if (typeof value === "string") return value;
  const message = (value as { message?: unknown } | null)?.message;
  return typeof message === "string" ? message : JSON.stringify(value);
}
