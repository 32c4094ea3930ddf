/** Restate's server as a program: one node with every role, on TCP ports of its own. */
import { closeSync, openSync } from "node:fs";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { spawnGuarded } from "@baton/embedded/guard";
import { freePorts } from "../machine.ts";
import { resolveFile } from "../packages.ts";
import type { Shape } from "../peer.ts";

export interface RestateServer {
  readonly pid: number;
  readonly ingressUrl: string;
  /** Makes the handlers of a running endpoint known. */
  register(endpointUrl: string): Promise<void>;
  stop(): Promise<void>;
}

const startLimitMs = 120_000;

export async function startRestateServer(dataDir: string, shape: Shape): Promise<RestateServer> {
  const [ingress = 0, admin = 0, node = 0] = await freePorts(3);
  const log = openSync(path.join(dataDir, "server.log"), "a");
  const program = await spawnGuarded({
    command: resolveFile(
      `@restatedev/restate-server-${process.platform}-${process.arch}/bin/restate-server`,
      "@restatedev/restate-server/package.json",
    ),
    args: ["--no-logo", "--base-dir", dataDir],
    env: {
      RESTATE_LISTEN_MODE: "tcp",
      RESTATE_BIND_IP: "127.0.0.1",
      RESTATE_ADVERTISED_HOST: "127.0.0.1",
      RESTATE_NODE_NAME: "bench",
      RESTATE_BIND_PORT: String(node),
      RESTATE_INGRESS__BIND_PORT: String(ingress),
      RESTATE_ADMIN__BIND_PORT: String(admin),
      ...settingsOf(shape),
    },
    cwd: dataDir,
    output: log,
    stopSignal: "TERM",
    graceMs: 10_000,
  }).finally(() => closeSync(log));
  await Promise.all([
    untilOk(`http://127.0.0.1:${admin}/health`),
    untilOk(`http://127.0.0.1:${ingress}/restate/health`),
  ]);
  return {
    pid: program.pid,
    ingressUrl: `http://127.0.0.1:${ingress}`,
    async register(endpointUrl) {
      const answer = await fetch(`http://127.0.0.1:${admin}/deployments`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ uri: endpointUrl }),
      });
      if (!answer.ok) throw new Error(`Restate refused ${endpointUrl}: ${answer.status} ${await answer.text()}`);
    },
    stop: async () => void (await program.stop()),
  };
}

/** The shape's values are the server's own settings, by their documented names in the environment. */
function settingsOf(shape: Shape): Record<string, string> {
  return Object.fromEntries(Object.entries(shape).map(([name, value]) => [name, String(value)]));
}

async function untilOk(url: string): Promise<void> {
  const until = performance.now() + startLimitMs;
  for (;;) {
    const ok = await fetch(url).then(
      (answer) => answer.ok,
      () => false,
    );
    if (ok) return;
    if (performance.now() > until) throw new Error(`Restate's ${url} did not answer within ${startLimitMs} ms.`);
    await delay(20);
  }
}
