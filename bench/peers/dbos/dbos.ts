/** DBOS Transact: a library in the application's process, on the private PostgreSQL. */
import { startPostgres } from "../machine.ts";
import type { ChainLoad, IdleLoad, Peer, Shape } from "../peer.ts";
import { startProgram } from "../program.ts";
import { share } from "../share.ts";

export const dbos: Peer = {
  shape: { processes: 1, pool: 20 },
  async start(shape: Shape) {
    const postgres = await startPostgres();
    const start = (executor: number) =>
      startProgram("dbos/app.ts", {
        DATABASE_URL: new URL("/dbos_sys", postgres.url).href,
        POOL: String(shape["pool"]),
        EXECUTOR: `bench-${executor}`,
      });
    // The first one makes the schema.
    const apps = [await start(0)];
    while (apps.length < Number(shape["processes"])) apps.push(await start(apps.length));
    return {
      programs: { postgres: [postgres.pid], apps: apps.map(({ pid }) => pid) },
      async runChains(load: ChainLoad) {
        const begin = performance.now();
        await Promise.all(
          apps.map((app, index) =>
            app.ask("chains", {
              ...load,
              tasks: share(load.tasks, apps.length, index),
              inFlight: share(load.inFlight, apps.length, index),
            } satisfies ChainLoad),
          ),
        );
        return (performance.now() - begin) / 1_000;
      },
      runIdleChains: (load: IdleLoad) => apps[0]!.ask<number[]>("idle", load),
      async stop() {
        await Promise.all(apps.map((app) => app.stop()));
        await postgres.stop();
      },
    };
  },
};
