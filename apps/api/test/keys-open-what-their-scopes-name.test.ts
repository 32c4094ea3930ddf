import { hashApiKey, newApiKey } from "@baton/api";
import { problem, routes } from "@baton/contracts";
import type { RouteShape } from "@baton/contracts";
import { defaultTenantId } from "@baton/core";
import { afterAll, beforeAll, expect, inject, it } from "vitest";
import { createInstallation, newId } from "./installation.ts";
import type { Installation } from "./installation.ts";

let at: Installation;
const keys: Record<string, string> = {};
beforeAll(async () => {
  at = await createInstallation(inject("postgresUrl"));
  for (const scope of ["read", "write", "admin"]) keys[scope] = await at.addKey([scope]);
});
afterAll(() => at?.close());

const table = Object.entries<RouteShape>(routes);
const pathOf = ({ path }: RouteShape) => path.replaceAll(/\{\w+\}/g, "019abc00-0000-7000-8000-000000000001");

it.each(table.filter(([, { scope }]) => scope !== "none"))("%s needs a key", async (_id, route) => {
  const answer = await at.call(route.method, pathOf(route), { key: "" });
  expect([answer.status, problem.parse(await answer.json()).code, answer.headers.get("www-authenticate")]).toEqual([
    401,
    "unauthenticated",
    "Bearer",
  ]);
});

it.each(table.filter(([, { scope }]) => scope === "none"))("%s needs none", async (_id, route) => {
  expect((await at.call(route.method, pathOf(route), { key: "" })).status).toBe(200);
});

it.each(table.filter(([, { scope }]) => scope !== "none"))("%s needs its own scope, or admin", async (_id, route) => {
  for (const scope of ["read", "write", "admin"]) {
    const { status } = await at.call(route.method, pathOf(route), { key: keys[scope] as string });
    const isOpen = scope === route.scope || scope === "admin";
    if (isOpen) expect([401, 403], scope).not.toContain(status);
    else expect(status, scope).toBe(403);
  }
});

it("takes Bearer in any case, or X-API-Key, and no other scheme", async () => {
  const status = async (headers: Record<string, string>) =>
    (await at.call("GET", "/api/v1/tools", { key: "", headers })).status;
  expect(await status({ authorization: `bearer  ${at.key}` })).toBe(200);
  expect(await status({ "x-api-key": at.key })).toBe(200);
  expect(await status({ authorization: `Basic ${btoa(`x:${at.key}`)}` })).toBe(401);
  expect(await status({ authorization: "Bearer" })).toBe(401);
  expect(await status({ "x-api-key": `${at.key}x` })).toBe(401);
});

async function usedKey() {
  const [key, keyId] = [newApiKey(), newId()];
  await at.store.createApiKey({
    tenantId: defaultTenantId,
    keyId,
    name: "used",
    hash: hashApiKey(key),
    scopes: ["read"],
  });
  const status = async () => (await at.call("GET", "/api/v1/tools", { key })).status;
  expect(await status()).toBe(200);
  return { keyId, status };
}

it("a key that this process revokes opens nothing any more", async () => {
  const { keyId, status } = await usedKey();
  await at.client.request("revokeKey", { params: { id: keyId } });
  expect(await status()).toBe(401);
});

it("a key that another process revokes opens nothing a moment later", async () => {
  const { keyId, status } = await usedKey();
  await at.store.revokeApiKey(defaultTenantId, keyId);
  await expect.poll(status, { timeout: 60_000 }).toBe(401);
});

it("what is refused for its key was neither read nor written", async () => {
  const before = await at.database.rowCounts();
  const body = { goal: "x".repeat(5_000) };
  expect((await at.call("POST", "/api/v1/tasks", { key: keys["read"] as string, body })).status).toBe(403);
  expect((await at.call("POST", "/api/v1/tasks", { key: "", body: "[".repeat(100_000) })).status).toBe(401);
  expect(await at.database.rowCounts()).toEqual(before);
});
