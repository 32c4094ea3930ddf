/** Every api and worker process pays for what this room loads before it does anything. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";

const listsModulesOf = (entry: string): string => `
  import { registerHooks } from "node:module";
  const loaded = new Set();
  registerHooks({
    resolve(specifier, context, next) {
      const resolved = next(specifier, context);
      loaded.add(resolved.url);
      return resolved;
    },
  });
  await import(${JSON.stringify(entry)});
  console.log(JSON.stringify([...loaded]));
`;

async function modulesOf(entry: string): Promise<readonly string[]> {
  const href = new URL(entry, import.meta.url).href;
  const { stdout } = await promisify(execFile)(process.execPath, [
    "--input-type=module",
    "--eval",
    listsModulesOf(href),
  ]);
  return JSON.parse(stdout) as string[];
}

const builder = /drizzle-orm\/(node-postgres|pg-core\/(session|dialect|db))/;

describe("of drizzle", () => {
  it("the store loads only what makes statements of templates", async () => {
    const modules = await modulesOf("../src/index.ts");
    expect(modules.filter((url) => url.endsWith("/drizzle-orm/sql/sql.js"))).toHaveLength(1);
    expect(modules.filter((url) => builder.test(url))).toEqual([]);
    expect(modules.filter((url) => url.includes("/drizzle-orm/")).length).toBeLessThan(25);
  });

  it("the migrator loads all when it migrates: what is looked for is there", async () => {
    const modules = await modulesOf("../node_modules/drizzle-orm/node-postgres/migrator.js");
    expect(modules.filter((url) => builder.test(url))).not.toEqual([]);
  });
});
