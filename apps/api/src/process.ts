/**
 * The api process.
 *
 * 1. Everything comes from the configuration; `api.key` is a key that works from the start.
 * 2. On SIGTERM it takes no request and claims no step, lets answers and plans end within a grace, and leaves.
 * 3. It starts itself a second time for a plan or a reply that may have killed processes, and then performs only that.
 */
import { loadConfig } from "@baton/config";
import { leaveWithParent } from "@baton/embedded/lifetime";
import { isIsolatedProcess, performIsolated } from "@baton/runtime";
import { createLog, createMeter } from "@baton/telemetry";
import { createApi } from "./api.ts";
import { compose } from "./compose.ts";
import type { ComposeOptions } from "./compose.ts";
import { interactivePerformers } from "./interactive.ts";
import { listen } from "./server.ts";

/** Streams have no end of their own; their readers resume elsewhere. */
const answersMs = 3_000;
const closingMs = 12_000;

export interface ApiProcess {
  readonly url: string;
  stop(): Promise<void>;
}

export async function startApi(place: {
  readonly folder: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly failPoint?: ComposeOptions["failPoint"];
}): Promise<ApiProcess> {
  const { config } = loadConfig(place);
  const { graceMs } = config.worker;
  if (isIsolatedProcess()) {
    leaveWithParent({ graceMs: 0 });
    return await performIsolated({
      config,
      log: createLog({ level: config.logLevel, fields: { service: "api", isolated: true } }),
      meter: createMeter({ service: "api" }),
      applicationName: "baton-isolated",
      performersOf: interactivePerformers,
      ...(place.failPoint !== undefined && { failPoint: place.failPoint }),
    });
  }
  leaveWithParent({ graceMs: graceMs + closingMs });
  const log = createLog({ level: config.logLevel, fields: { service: "api" } });
  const meter = createMeter({ service: "api" });
  const { deps, stopPerforming, close } = await compose({
    config,
    log,
    meter,
    ...(place.failPoint !== undefined && { failPoint: place.failPoint }),
  });
  const server = await listen(createApi(deps), config.api).catch(async (error: unknown) => {
    await stopPerforming(0);
    await close();
    throw error;
  });
  log.info("api-started", { url: server.url });
  let stopped: Promise<void> | undefined;
  const stop = async () => {
    log.info("api-stopping", { graceMs });
    await Promise.all([server.close(answersMs), stopPerforming(graceMs)]);
    await close();
    await meter.close();
    log.info("api-stopped");
  };
  const stopOnce = () => (stopped ??= stop());
  const end = () => {
    // What is left by then is taken back by the lease, as after a crash.
    setTimeout(() => process.exit(1), graceMs + closingMs).unref();
    stopOnce().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error("stop-failed", { error });
        process.exit(1);
      },
    );
  };
  process.once("SIGTERM", end);
  process.once("SIGINT", end);
  return { url: server.url, stop: stopOnce };
}
