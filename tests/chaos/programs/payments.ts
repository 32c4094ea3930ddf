/**
 * A payment service that misbehaves, as a program: it writes down every charge before it says anything, and then, at the
 * first request of a key, does what the request asks it to get wrong. What it declines, it declines every time.
 *
 * POST /keyed/charges honours the header Idempotency-Key, POST /unkeyed/charges charges on every request;
 * GET /charges/<key> tells what was charged under a key.
 */
import { openSync, writeSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import { leaveWithParent } from "@baton/embedded/lifetime";
import type { Misbehaviour, PaymentEntry } from "../harness/payments.ts";

leaveWithParent();
const file = openSync(String(process.env["PAYMENTS_FILE"]), "a");
const receipts = new Map<string, string[]>();
const asked = new Set<string>();

function write(entry: Omit<PaymentEntry, "at">): void {
  writeSync(file, `${JSON.stringify({ at: Date.now(), ...entry } satisfies PaymentEntry)}\n`);
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

function charge(key: string, isKeyed: boolean): string {
  const own = receipts.get(key) ?? [];
  const known = own[0];
  if (isKeyed && known !== undefined) {
    write({ event: "recognised", key });
    return known;
  }
  const receipt = `${key}/${own.length + 1}`;
  receipts.set(key, [...own, receipt]);
  write({ event: "charged", key });
  return receipt;
}

function pay(response: ServerResponse, key: string, isKeyed: boolean, first: Misbehaviour, slowMs: number): void {
  const wrong = asked.has(key) && first !== "declined" ? "none" : first;
  asked.add(key);
  if (wrong === "busy" || wrong === "declined") {
    write({ event: "refused", key });
    answer(response, wrong === "busy" ? 409 : 422, { refused: wrong });
    return;
  }
  if (wrong.endsWith("-before")) write({ event: "ignored", key });
  const receipt = wrong.endsWith("-before") ? "" : charge(key, isKeyed);
  if (wrong.startsWith("hang-")) return;
  if (wrong.startsWith("reset-")) response.socket?.resetAndDestroy();
  else if (wrong.startsWith("fail-")) answer(response, 500, { error: "out of order" });
  else setTimeout(() => answer(response, 200, { receipt }), wrong === "slow" ? slowMs : 0);
}

createServer((request, response) => {
  const [, mode = "", key = ""] = (request.url ?? "").split("/");
  if (request.method === "GET") {
    answer(response, 200, { receipts: receipts.get(key) ?? [] });
    return;
  }
  let body = "";
  request.setEncoding("utf8");
  request.on("data", (chunk: string) => (body += chunk));
  request.on("end", () => {
    const { first, slow_ms } = JSON.parse(body) as { readonly first: Misbehaviour; readonly slow_ms: number };
    pay(response, String(request.headers["idempotency-key"]), mode === "keyed", first, slow_ms);
  });
}).listen(Number(process.env["PAYMENTS_PORT"]), "127.0.0.1");
