import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

/** What is dropped lives for as long as 100,000 others are made: longer than the young generation. */
const program = (heap: string): string => `
  import { getHeapStatistics } from "node:v8";
  import { keepHeapSmall } from ${JSON.stringify(heap)};
  const started = Array.from({ length: 500_000 }, (_, no) => ({ no }));
  const before = started.length && getHeapStatistics().used_heap_size;
  started.length = 0;
  if (process.argv[1] === "small") keepHeapSmall();
  const after = getHeapStatistics().used_heap_size;
  const alive = [];
  let most = 0;
  for (let no = 0; no < 4_000_000; no++) {
    alive[no % 100_000] = { no, text: [no] };
    if (no % 10_000 === 0) most = Math.max(most, getHeapStatistics().total_heap_size);
  }
  console.log(JSON.stringify({ before, after, most }));
`;

function run(how: "small" | "as-it-is"): { before: number; after: number; most: number } {
  const heap = fileURLToPath(new URL("../src/heap.ts", import.meta.url));
  const args = ["--max-semi-space-size=4", "--input-type=module", "--eval", program(heap), how];
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  expect(stderr).toBe("");
  return JSON.parse(stdout) as { before: number; after: number; most: number };
}

it("what starting left is given back, and what is over does not pile up", () => {
  const small = run("small");
  const asItIs = run("as-it-is");
  expect(small.after).toBeLessThan(small.before / 2);
  expect(small.most).toBeLessThan(asItIs.most * 0.7);
});
