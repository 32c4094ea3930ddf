/** Restate: client process → ingress over HTTP → server → service process over HTTP/2. */
import { dataFolder, freePorts } from "../machine.ts";
import type { ChainLoad, IdleLoad, Peer, Shape } from "../peer.ts";
import { startProgram } from "../program.ts";
import { startRestateServer } from "./server.ts";

export const restate: Peer = {
  shape: {
    RESTATE_DEFAULT_NUM_PARTITIONS: 1,
    RESTATE_LOG_FILTER: "off",
    RESTATE_TRACING_FILTER: "off",
    RESTATE_DISABLE_PROMETHEUS: "true",
    RESTATE_DISABLE_TELEMETRY: "true",
  },
  async start(shape: Shape) {
    const folder = await dataFolder("restate");
    const server = await startRestateServer(folder.path, shape);
    const [port] = await freePorts(1);
    const service = await startProgram("restate/service.ts", { PORT: String(port) });
    await server.register(`http://127.0.0.1:${port}`);
    const driver = await startProgram("restate/driver.ts", { INGRESS_URL: server.ingressUrl });
    return {
      programs: { server: [server.pid], service: [service.pid], driver: [driver.pid] },
      runChains: (load: ChainLoad) => driver.ask<number>("chains", load),
      runIdleChains: (load: IdleLoad) => driver.ask<number[]>("idle", load),
      async stop() {
        await Promise.all([driver.stop(), service.stop()]);
        await server.stop();
        await folder.remove();
      },
    };
  },
};
