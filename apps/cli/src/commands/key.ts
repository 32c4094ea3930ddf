/** API keys: made, listed and revoked through the api, by a key with the scope `admin`. */
import type { Scope } from "@baton/contracts";
import { connect } from "../connection/connection.ts";
import { openConsole } from "../console/console.ts";

export interface KeyOptions {
  readonly data?: string;
  readonly json?: boolean;
}

export async function createKey(name: string, options: KeyOptions & { readonly scopes: Scope[] }): Promise<number> {
  const { client } = await connect(options.data);
  const key = await client.request("createKey", { body: { name, scopes: options.scopes } });
  const console = openConsole();
  console.data(options.json === true ? JSON.stringify(key) : key.key);
  console.note(`key ${key.id} with the scopes ${key.scopes.join(", ")}; it is shown this once.`);
  return 0;
}

export async function listKeys(options: KeyOptions): Promise<number> {
  const { client } = await connect(options.data);
  const { keys } = await client.request("listKeys", {});
  const console = openConsole();
  for (const key of keys) {
    const { id, name, scopes, createdAt } = key;
    console.data(options.json === true ? JSON.stringify(key) : `${id}  ${createdAt}  ${scopes.join(",")}  ${name}`);
  }
  return 0;
}

export async function revokeKey(id: string, options: KeyOptions): Promise<number> {
  const { client } = await connect(options.data);
  await client.request("revokeKey", { params: { id } });
  openConsole().note(`key ${id} no longer works.`);
  return 0;
}
