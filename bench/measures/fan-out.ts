/** `fan-out-1000`: one task of 1,000 parallel steps and one that joins them, on an idle system. */
import { fanOutBody } from "./plans.ts";
import { warmUp } from "./chain.ts";
import { median, onEachBackend, perThousand, withSystem } from "./measure.ts";

const name = "fan-out-1000";

export const fanOut = onEachBackend("fan-out", async (bench, backend) => {
  const { width, runs } = bench.smoke ? { width: 10, runs: 1 } : { width: 1_000, runs: 5 };
  return await withSystem(bench, { backend, workers: 1 }, async (system) => {
    await warmUp(bench, system);
    const before = system.usage();
    const { result, processorSeconds } = await bench.driver.oneByOne(system, fanOutBody(width), runs);
    const usage = perThousand(before, system.usage(), processorSeconds, runs * (width + 1));
    const ms = median(result);
    const note = `runs ${result.map((run) => Math.round(run)).join(", ")}`;
    return {
      values: { [`${name}/${backend}/ms`]: ms },
      lines: [{ measure: name, backend, figure: `${Math.round(ms)} ms`, usage, note }],
    };
  });
});
