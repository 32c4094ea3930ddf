/** Outputs of every size that is allowed, many of them at once, and one byte more. */
import { readFile } from "node:fs/promises";
import { openRedisConnection } from "@baton/queue";
import type { PlanSpec } from "@baton/core/plan";
import { backends } from "../../stack/stack.ts";
import type { ChaosCase } from "../harness/case.ts";
import type { World } from "../harness/world.ts";

const inlineBytes = 64 * 1024;
const mostBytes = 32 * 1024 * 1024;
const promisedMb = 512;
/** What the queue and the live channel need for themselves, and less than any burst of these outputs. */
const mostQueueBytes = 16 * 1024 * 1024;

export const payload: ChaosCase<{ outputs: number }> = {
  id: "payload",
  backends,
  claims:
    "64 KB inline, up to 32 MB by reference, a byte more fails and names the limit; 1 MB outputs by the hundred leave workers below 512 MB and the queue empty",
  scale: { t: { outputs: 200 }, l: { outputs: 1_000 } },
  seconds: { t: 30, l: 90 },
  // Nothing dies here.
  least: { faults: 1, recovered: 0 },
  async run(world, { outputs }) {
    const perTask = 50;
    await world.createTasks(Math.ceil(outputs / perTask), () => passedOn(Array<number>(perTask).fill(1_048_576), 2));
    await world.untilAllSettled();
    await refuseLargeProcesses(world);
    const [[tooLarge = ""], [limits = ""]] = await Promise.all([
      world.createTasks(1, () => passedOn([mostBytes + 1], 0), "failed"),
      world.createTasks(1, () => passedOn([inlineBytes, inlineBytes + 1, mostBytes])),
    ]);
    world.faults.record("payload", `an output of ${mostBytes + 1} bytes`);
    await world.untilAllSettled();
    await refuseOtherPlaces(world, limits);
    await refuseOtherError(world, tooLarge);
    await refuseLargeQueue(world);
  },
};

const output = (bytes: number, at: number) => ({
  id: `out${at}`,
  type: "tool" as const,
  tool: "chaos.payload",
  arguments: { bytes },
});

/** Every output, and the first `readCount` of them read by a later step. */
function passedOn(sizes: readonly number[], readCount = sizes.length): PlanSpec {
  const readers = sizes.slice(0, readCount).map((_, at) => ({
    id: `read${at}`,
    type: "tool" as const,
    tool: "chaos.measure",
    arguments: { size: { $cel: `size(steps.out${at}.output)` } },
    depends_on: [`out${at}`],
  }));
  return { steps: [...sizes.map(output), ...readers] };
}

interface OutputRow {
  readonly key: string;
  readonly bytes: number;
  readonly inline: boolean;
  readonly stored: number;
  readonly output: unknown;
}

async function refuseOtherPlaces({ stack }: World, taskId: string): Promise<void> {
  const rows = await stack.database.read<OutputRow>(
    `select s.key, s.output_bytes as bytes, s.blob_id is null as inline, coalesce(octet_length(b.content), 0) as stored,
       case when s.key like 'read%' then s.output end as output
     from baton.task_execution_step s
     left join baton.blob b on b.tenant_id = s.tenant_id and b.task_id = s.task_id and b.blob_id = s.blob_id
     where s.task_id = '${taskId}' and s.kind = 'user' order by s.position`,
  );
  const found = rows.map(({ key, bytes, inline, output: read }) => [key, inline, read ?? bytes]);
  const expected = [
    ["out0", true, inlineBytes],
    ["out1", false, inlineBytes + 1],
    ["out2", false, mostBytes],
    ["read0", true, inlineBytes - 2],
    ["read1", true, inlineBytes - 1],
    ["read2", true, mostBytes - 2],
  ];
  if (JSON.stringify(found) !== JSON.stringify(expected))
    throw new Error(`Outputs are kept otherwise: ${JSON.stringify(rows)}`);
}

async function refuseOtherError({ stack }: World, taskId: string): Promise<void> {
  const { lastError } = await stack.client.getTask(taskId);
  const [row] = await stack.database.read<{ attempts: number }>(
    `select max(attempt_no)::int as attempts from baton.task_execution_step where task_id = '${taskId}'`,
  );
  const named = lastError?.code === "payload-too-large" && lastError.message.includes(String(mostBytes));
  if (!named) throw new Error(`The output that is too large failed with ${JSON.stringify(lastError)}`);
  if (row?.attempts !== 1) throw new Error(`An output that can never fit was tried ${row?.attempts} times.`);
}

async function refuseLargeProcesses({ stack }: World): Promise<void> {
  for (const { name, process } of [stack.api, ...stack.workers]) {
    const status = await readFile(`/proc/${process.pid}/status`, "utf8");
    const peakMb = Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
    if (!(peakMb < promisedMb)) throw new Error(`${name} had ${Math.round(peakMb)} MB at its largest.`);
  }
}

/** What the queue's server held at its largest, and its largest single thing now. */
async function refuseLargeQueue({ stack }: World): Promise<void> {
  if (stack.redis === undefined) {
    const [row] = await stack.database.read<{ bytes: number }>(
      `select coalesce(sum(pg_total_relation_size(c.oid)), 0)::float8 as bytes from pg_class c
       where c.relnamespace = 'bullmq'::regnamespace and c.relkind = 'r'`,
    );
    if ((row?.bytes ?? 0) > mostQueueBytes) throw new Error(`The queue's tables have ${row?.bytes} bytes.`);
    return;
  }
  const redis = await openRedisConnection(stack.redis.url, () => undefined);
  try {
    const peak = Number(/used_memory_peak:(\d+)/.exec(await redis.info("memory"))?.[1]);
    if (!(peak < mostQueueBytes)) throw new Error(`Redis held ${peak} bytes at its largest.`);
  } finally {
    redis.disconnect();
  }
}
