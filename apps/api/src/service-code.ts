/** The code of the catalogue, key and health routes. */
import { plannedPool } from "@baton/core/plan";
import { prometheusContentType } from "@baton/telemetry";
import type { RouteCode } from "./routing/call.ts";
import type { ApiDeps } from "./deps.ts";
import { hashApiKey, newApiKey } from "./access/api-key.ts";
import { notFound } from "./tasks/code.ts";
import { iso } from "./tasks/wire.ts";
import type { Scope } from "@baton/contracts";

type WorkersCheck = "serving" | "none" | "worker-disabled" | "unknown";

/** Longer, and requests are better sent to another process. */
const blockedLoopMs = 5_000;

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
      await deps.tools.refresh?.();
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
      const eventLoopLagMs = Math.round(deps.loopLagMs());
      const eventLoop = eventLoopLagMs > blockedLoopMs ? ("blocked" as const) : ("ok" as const);
      const notReady = (checks: { readonly store: "ok" | "unavailable"; readonly workers: WorkersCheck }) => ({
        status: 503 as const,
        body: { status: "not-ready" as const, checks: { ...checks, eventLoop }, eventLoopLagMs },
        headers: { "retry-after": "2" },
      });
      try {
        await deps.store.ping();
      } catch (error) {
        deps.log.warn("not-ready", { error });
        return notReady({ store: "unavailable", workers: "unknown" });
      }
      const workers: WorkersCheck = (await deps.store.poolServed(plannedPool))
        ? "serving"
        : deps.workerDisabled
          ? "worker-disabled"
          : "none";
      if (eventLoop === "blocked") return notReady({ store: "ok", workers });
      const checks = { store: "ok" as const, workers, eventLoop };
      return { status: 200, body: { status: "ready", checks, eventLoopLagMs } };
    },
  };
}
