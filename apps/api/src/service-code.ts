/** The code of the catalogue, key and health routes. */
import { plannedPool } from "@baton/core/plan";
import { prometheusContentType } from "@baton/telemetry";
import type { RouteCode } from "./routing/call.ts";
import type { ApiDeps } from "./deps.ts";
import { hashApiKey, newApiKey } from "./access/api-key.ts";
import { notFound } from "./tasks/code.ts";
import { iso } from "./tasks/wire.ts";
import type { Scope } from "@baton/contracts";

type ServiceRoute =
  | "listTools"
  | "listModels"
  | "createKey"
  | "listKeys"
  | "revokeKey"
  | "metrics"
  | "health"
  | "live"
  | "ready";

export function serviceCode(deps: ApiDeps): Pick<RouteCode, ServiceRoute> {
  const alive = async () => ({ status: 200 as const, body: { status: "ok" as const, version: deps.version } });
  return {
    async listTools() {
      const tools = deps.tools.list().map(({ name, description, effect, inputSchema, outputSchema }) => ({
        name,
        description,
        effect,
        inputSchema: { ...inputSchema },
        ...(outputSchema === undefined ? {} : { outputSchema: { ...outputSchema } }),
      }));
      return { status: 200, body: { tools } };
    },
    async listModels() {
      const models = deps.models.list().map(({ ref, offline, contextWindow }) => ({ ...ref, offline, contextWindow }));
      return { status: 200, body: { models } };
    },
    async createKey({ principal, body }) {
      const key = newApiKey();
      const scopes = [...new Set(body.scopes)];
      const keyId = deps.newId();
      await deps.store.createApiKey({
        tenantId: principal.tenantId,
        keyId,
        name: body.name,
        hash: hashApiKey(key),
        scopes,
      });
      return {
        status: 201,
        body: { id: keyId, name: body.name, scopes, key },
        headers: { location: `/api/v1/keys/${keyId}` },
      };
    },
    async listKeys({ principal }) {
      const keys = (await deps.store.listApiKeys(principal.tenantId)).map(({ keyId, name, scopes, createdAt }) => ({
        id: keyId,
        name,
        scopes: [...scopes] as Scope[],
        createdAt: iso(createdAt),
      }));
      return { status: 200, body: { keys } };
    },
    async revokeKey({ principal, params }) {
      if (!(await deps.store.revokeApiKey(principal.tenantId, params.id))) throw notFound("API key");
      return new Response(null, { status: 204 });
    },
    metrics: async () => new Response(await deps.metrics(), { headers: { "content-type": prometheusContentType } }),
    health: alive,
    live: alive,
    async ready() {
      try {
        await deps.store.ping();
      } catch (error) {
        deps.log.warn("not-ready", { error });
        const body = {
          status: "not-ready" as const,
          checks: { store: "unavailable" as const, workers: "unknown" as const },
        };
        return { status: 503, body, headers: { "retry-after": "2" } };
      }
      const served = await deps.store.poolServed(plannedPool);
      const workers = served
        ? ("serving" as const)
        : deps.workerDisabled
          ? ("worker-disabled" as const)
          : ("none" as const);
      return { status: 200, body: { status: "ready", checks: { store: "ok", workers } } };
    },
  };
}
