/**
 * One query over one connection, in PostgreSQL's protocol 3.0 with SCRAM-SHA-256 (RFC 5802, RFC 7677).
 *
 * Purpose: to know that the server on that port answers, and that it is ours: the server has to prove that
 * it knows our password before it is sent anything. Boundary: the launcher's own questions only; everything
 * that belongs to the product goes through the store.
 */
import { createHash, createHmac, pbkdf2Sync, randomBytes, timingSafeEqual } from "node:crypto";
import { connect } from "node:net";
import type { Socket } from "node:net";

export interface Address {
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

type Row = readonly (string | null)[];

/** The rows of `sql` as text. Rejects when the server refuses, is not ours, or is silent for `timeoutMs`. */
export async function queryOnce(address: Address, sql: string, timeoutMs = 5_000): Promise<Row[]> {
  const socket = connect({ host: "127.0.0.1", port: address.port });
  socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`No answer within ${timeoutMs} ms`)));
  try {
    return await converse(socket, address, sql);
  } finally {
    socket.destroy();
  }
}

async function converse(socket: Socket, address: Address, sql: string): Promise<Row[]> {
  const parameters = `user\0${address.user}\0database\0${address.database}\0\0`;
  const startup = Buffer.concat([int32(0x00030000), Buffer.from(parameters)]);
  socket.write(Buffer.concat([int32(startup.length + 4), startup]));
  const scram = new ScramClient(address.password);
  const rows: Row[] = [];
  let asked = false;
  for await (const { type, body } of messages(socket)) {
    if (type === "E") throw new Error(errorText(body));
    if (type === "R") authenticate(socket, scram, body);
    if (type === "D") rows.push(dataRow(body));
    if (type !== "Z") continue;
    if (asked) return rows;
    if (!scram.serverIsProven) throw new Error("The server on that port did not ask for the password");
    asked = true;
    socket.write(message("Q", Buffer.from(`${sql}\0`)));
  }
  throw new Error("The server closed the connection");
}

function authenticate(socket: Socket, scram: ScramClient, body: Buffer): void {
  const kind = body.readInt32BE(0);
  const text = body.subarray(4).toString("utf8");
  if (kind === 10) {
    const first = Buffer.from(scram.clientFirst());
    socket.write(message("p", Buffer.concat([Buffer.from("SCRAM-SHA-256\0"), int32(first.length), first])));
  } else if (kind === 11) {
    socket.write(message("p", Buffer.from(scram.clientFinal(text))));
  } else if (kind === 12) {
    scram.verifyServer(text);
  } else if (kind !== 0) {
    throw new Error(`The server on that port asks for another authentication (${kind})`);
  }
}

class ScramClient {
  serverIsProven = false;
  readonly #password: string;
  readonly #nonce = randomBytes(18).toString("base64");
  #expected: Buffer = Buffer.alloc(0);

  constructor(password: string) {
    this.#password = password;
  }

  clientFirst(): string {
    return `n,,n=,r=${this.#nonce}`;
  }

  clientFinal(serverFirst: string): string {
    const given = attributes(serverFirst);
    const [nonce, salt, rounds] = [given.get("r") ?? "", given.get("s") ?? "", Number(given.get("i"))];
    if (!nonce.startsWith(this.#nonce)) throw new Error("The server answered another client's nonce");
    const salted = pbkdf2Sync(this.#password, Buffer.from(salt, "base64"), rounds, 32, "sha256");
    const clientKey = hmac(salted, "Client Key");
    const bare = `c=biws,r=${nonce}`;
    const signed = `n=,r=${this.#nonce},${serverFirst},${bare}`;
    const signature = hmac(createHash("sha256").update(clientKey).digest(), signed);
    this.#expected = hmac(hmac(salted, "Server Key"), signed);
    const proof = Buffer.from(clientKey.map((byte, at) => byte ^ (signature[at] ?? 0)));
    return `${bare},p=${proof.toString("base64")}`;
  }

  verifyServer(serverFinal: string): void {
    const proof = Buffer.from(attributes(serverFinal).get("v") ?? "", "base64");
    this.serverIsProven = proof.length === this.#expected.length && timingSafeEqual(proof, this.#expected);
    if (!this.serverIsProven) throw new Error("The server on that port does not know the password");
  }
}

async function* messages(socket: Socket): AsyncGenerator<{ type: string; body: Buffer }> {
  let pending = Buffer.alloc(0);
  for await (const chunk of socket) {
    pending = Buffer.concat([pending, chunk as Buffer]);
    while (pending.length >= 5) {
      const length = pending.readInt32BE(1);
      if (pending.length < length + 1) break;
      yield { type: String.fromCharCode(pending[0] ?? 0), body: pending.subarray(5, length + 1) };
      pending = pending.subarray(length + 1);
    }
  }
}

function dataRow(body: Buffer): Row {
  let at = 2;
  return Array.from({ length: body.readInt16BE(0) }, () => {
    const length = body.readInt32BE(at);
    at += 4;
    if (length < 0) return null;
    at += length;
    return body.toString("utf8", at - length, at);
  });
}

function errorText(body: Buffer): string {
  const fields = body.toString("utf8").split("\0");
  return fields.find((field) => field.startsWith("M"))?.slice(1) ?? "unknown error";
}

function attributes(text: string): Map<string, string> {
  return new Map(text.split(",").map((part) => [part.slice(0, 1), part.slice(2)]));
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}

function message(type: string, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from(type), int32(body.length + 4), body]);
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}
