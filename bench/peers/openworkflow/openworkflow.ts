/** openworkflow: client process and worker processes that meet in the private PostgreSQL. */
import { startPostgres } from "../machine.ts";
import type { ChainLoad, IdleLoad, Peer, Shape } from "../peer.ts";
import { startProgram } from "../program.ts";
import { share } from "../share.ts";

export const openworkflow: Peer = {
  shape: { processes: 1, pool: 20 },
  async start(shape: Shape) {
    const postgres = await startPostgres();
    const url = new URL(postgres.url);
    // The pool's size is the driver's own option of the URL (postgres.js).
    url.searchParams.set("max", String(shape["pool"]));
    const settings = { DATABASE_URL: url.href };
    // The first one makes the tables.
    const driver = await startProgram("openworkflow/driver.ts", settings);
    const count = Number(shape["processes"]);
    const workers = await Promise.all(
      Array.from({ length: count }, () => startProgram("openworkflow/worker.ts", settings)),
    );
    const restartWorkers = (concurrency: number) =>
      Promise.all(workers.map((worker, index) => worker.ask("restart", share(concurrency, count, index))));
    return {
      programs: { postgres: [postgres.pid], workers: workers.map(({ pid }) => pid), driver: [driver.pid] },
      async runChains(load: ChainLoad) {
        await restartWorkers(load.inFlight);
        return await driver.ask<number>("chains", load);
      },
      async runIdleChains(load: IdleLoad) {
        await restartWorkers(count);
        return await driver.ask<number[]>("idle", load);
      },
      async stop() {
        await Promise.all([driver, ...workers].map((program) => program.stop()));
        await postgres.stop();
      },
    };
  },
};
