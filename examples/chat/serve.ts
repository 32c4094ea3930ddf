/**
 * Serves the page, and hands its requests on to the api with the key: a browser never sees it.
 *
 * BATON_URL and BATON_API_KEY name another api than the one that `npm run dev` started in this folder.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createServer } from "vite";
import type { InlineConfig } from "vite";

const folder = fileURLToPath(new URL(".", import.meta.url));

export interface PageOptions {
  readonly apiUrl: string;
  readonly apiKey: string;
  /** 0 takes a free one. */
  readonly port: number;
}

export function pageConfig({ apiUrl, apiKey, port }: PageOptions): InlineConfig {
  return {
    root: folder,
    configFile: false,
    define: { workspace: JSON.stringify(folder) },
    server: {
      host: "127.0.0.1",
      port,
      strictPort: false,
      proxy: { "/api": { target: apiUrl, headers: { authorization: `Bearer ${apiKey}` } } },
    },
  };
}

async function keyOfDev(): Promise<string> {
  const path = join(process.cwd(), ".baton", "api-key");
  const key = await readFile(path, "utf8").catch(() => undefined);
  if (key !== undefined) return key.trim();
  throw new Error(`There is no key in ${path}: start \`npm run dev\` first, or set BATON_API_KEY.`);
}

if (import.meta.main) {
  const apiUrl = process.env["BATON_URL"] ?? "http://127.0.0.1:3000";
  const apiKey = process.env["BATON_API_KEY"] ?? (await keyOfDev());
  const server = await createServer(pageConfig({ apiUrl, apiKey, port: 5173 }));
  await server.listen();
  console.log(`The page is at ${server.resolvedUrls?.local[0]} and talks to ${apiUrl}; Ctrl-C stops it.`);
}
