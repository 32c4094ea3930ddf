import { readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { baton, nothingLeft, temporaryFolder } from "./program.ts";

it("three agents with an MCP server report on a folder though a worker is killed in the middle; no kept call is made again", async () => {
  const cwd = await temporaryFolder();
  await mkdir(join(cwd, "notes"));
  for (let at = 1; at <= 6; at++)
    await writeFile(join(cwd, "notes", `room-${at}.md`), `# Room ${at}\n\nRoom ${at} is painted blue in the spring.\n`);
  const demo = baton(["demo", "--agent", "--dir", "notes", "--out", "out"], { cwd });
  expect(await demo.ended, demo.stderr).toBe(0);
  await nothingLeft(demo, join(cwd, ".baton", "demo"));
  expect(demo.stderr).toMatch(/worker-\d \(pid \d+\) was killed/);
  expect(demo.stderr).toContain("its worker died; another one goes on where it was");
  expect(demo.stderr).toContain("output.write_file (");
  expect(demo.stderr).toContain("approved by the demo");
  expect(demo.stdout).toContain("[offline model] No language model took part");
  // agent, turns, tools, tokens, cost, lost, repeated, workers
  const together = /^together +(\d+) +(\d+) +\d+ +\$0\.0000 +(\d+) +(\d+) +(\d+)$/m.exec(demo.stdout) ?? [];
  const [turns = 0, tools = 0, lost = 0, repeated = -1, workers = 0] = together.slice(1).map(Number);
  expect({ turns, tools, repeated }).toEqual({ turns: 12, tools: 8, repeated: 0 });
  // The one that was killed starts again, as another process.
  expect(workers).toBeGreaterThan(1);
  // Whether it was thinking or reading when it was killed is chance.
  expect(lost).toBe(demo.stderr.match(/is lost, and made again/g)?.length ?? 0);
  const report = readFileSync(join(cwd, "out", "report.md"), "utf8");
  expect(report).toMatch(/^\[offline model\]/);
  for (let at = 1; at <= 6; at++) expect(report).toContain(`Room ${at} is painted blue in the spring.`);
});
