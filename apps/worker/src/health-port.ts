/** The worker's small port: /health/live, /health/ready and /metrics. */
import { createServer } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { prometheusContentType, watchLoopLag } from "@baton/telemetry";
import type { PrometheusMeter } from "@baton/telemetry";
import { liveness, readiness } from "./health.ts";
import type { Health, Vitals } from "./health.ts";

export interface HealthPortOptions {
  readonly host: string;
  readonly port: number;
  readonly meter: PrometheusMeter;
  readonly vitals: () => Omit<Vitals, "loopLagMs">;
}

export interface HealthPort {
  readonly url: string;
  close(): Promise<void>;
}

export async function openHealthPort({ host, port, meter, vitals }: HealthPortOptions): Promise<HealthPort> {
  const lag = watchLoopLag();
  const current = (): Vitals => ({ ...vitals(), loopLagMs: lag.read() });
  const server = createServer((request, response) => {
    const send = (status: number, type: string, body: string) => {
      response.writeHead(status, { "content-type": type, "cache-control": "no-store" }).end(body);
    };
    const sendHealth = ({ ok, reason }: Health) => {
      const body = { status: ok ? "ok" : "unavailable", reason, loopLagMs: Math.round(lag.read()) };
      send(ok ? 200 : 503, "application/json", JSON.stringify(body));
    };
    switch (request.url?.split("?", 1)[0]) {
      case "/health/live":
        return sendHealth(liveness(current()));
      case "/health":
      case "/health/ready":
        return sendHealth(readiness(current()));
      case "/metrics":
        measure(meter, current());
        return void meter.text().then(
          (text) => send(200, prometheusContentType, text),
          (error: unknown) => send(500, "text/plain", error instanceof Error ? error.message : String(error)),
        );
      default:
        return send(404, "application/json", '{"status":"not-found"}');
    }
  });
  await listening(server, host, port);
  const { port: bound } = server.address() as AddressInfo;
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${bound}`,
    async close() {
      lag.stop();
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function measure(meter: PrometheusMeter, { lives, loopLagMs }: Vitals): void {
  meter.gauge("baton_event_loop_lag_ms", loopLagMs);
  meter.gauge("baton_session_open", lives?.sessionId === undefined ? 0 : 1);
  for (const { pool, slots, consumer } of lives?.consumers ?? []) {
    meter.gauge("baton_slots", slots, { pool });
    meter.gauge("baton_slots_busy", consumer.activeCount, { pool });
  }
}

async function listening(server: Server, host: string, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
}
