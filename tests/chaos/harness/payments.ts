/**
 * A payment service outside the system, in a process of its own: the judge of who was charged how often.
 *
 * 1. A charge is on file before its caller gets an answer, a reset or nothing at all.
 * 2. No fault is aimed at the service itself; all it does wrong is asked for.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort, startProgram, until } from "../../stack/program.ts";

/** What goes wrong at the first request of a key: before the charge, after it, or instead of it. */
export const misbehaviours = [
  "none",
  "hang-before",
  "hang-after",
  "fail-before",
  "fail-after",
  "reset-before",
  "reset-after",
  "busy",
  "declined",
  "slow",
] as const;
export type Misbehaviour = (typeof misbehaviours)[number];

export interface PaymentEntry {
  /** Unix ms. */
  readonly at: number;
  readonly key: string;
  /** `ignored`: it did nothing, and did not say so; `recognised`: the key was charged before. */
  readonly event: "charged" | "recognised" | "refused" | "ignored";
}

export interface Payments {
  readonly url: string;
  /** In the order of arrival. */
  entries(): Promise<readonly PaymentEntry[]>;
  /** What was charged under a key, oldest first. */
  receipts(key: string): Promise<readonly string[]>;
  close(): Promise<void>;
}

const main = fileURLToPath(new URL("../programs/payments.ts", import.meta.url));

export async function startPayments(): Promise<Payments> {
  const folder = await mkdtemp(join(tmpdir(), "baton-payments-"));
  const file = join(folder, "payments.ndjson");
  const port = await freePort();
  const env = { PATH: process.env["PATH"] ?? "", PAYMENTS_PORT: String(port), PAYMENTS_FILE: file };
  const program = startProgram({ name: "payments", main, cwd: process.cwd(), env });
  const url = `http://127.0.0.1:${port}`;
  const receipts = async (key: string): Promise<readonly string[]> => {
    const answer = (await (await fetch(`${url}/charges/${key}`)).json()) as { readonly receipts: readonly string[] };
    return answer.receipts;
  };
  await until("the payment service answers", async () => (await receipts("none")).length === 0, program);
  return {
    url,
    receipts,
    async entries() {
      const text = await readFile(file, "utf8");
      return text
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line) as PaymentEntry);
    },
    async close() {
      program.kill("SIGTERM");
      await program.exited;
      await rm(folder, { recursive: true, force: true });
    },
  };
}
