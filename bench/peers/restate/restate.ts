/** Restate: client process → ingress over HTTP → server → service process over HTTP/2. */
import { dataFolder, freePorts } from "../machine.ts";
import type { ChainLoad, IdleLoad, Peer, Shape } from "../peer.ts";
import { startProgram } from "../program.ts";
import { startRestateServer } from "./server.ts";

export const restate: Peer = {
  shape: { partitions: 24, services: 1, http: 1 },
  async start(shape: Shape) {
    const folder = await dataFolder("restate");
    const server = await startRestateServer(folder.path, shape);
    const [port] = await freePorts(1);
    const count = Number(shape["services"]);
    const settings = { PORT: String(port), REUSE_PORT: count > 1 ? "yes" : "no" };
    const services = await Promise.all(
      Array.from({ length: count }, () => startProgram("restate/service.ts", settings)),
    );
    await server.register(`http://127.0.0.1:${port}`);
    const driver = await startProgram("restate/driver.ts", {
      INGRESS_URL: server.ingressUrl,
      HTTP: String(shape["http"]),
    });
    return {
      programs: { server: [server.pid], services: services.map(({ pid }) => pid), driver: [driver.pid] },
      runChains: (load: ChainLoad) => driver.ask<number>("chains", load),
      runIdleChains: (load: IdleLoad) => driver.ask<number[]>("idle", load),
      async stop() {
        await Promise.all([driver, ...services].map((program) => program.stop()));
        await server.stop();
        await folder.remove();
      },
    };
  },
};
