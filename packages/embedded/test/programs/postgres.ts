/** Owns a server and stays. argv: data folder, then `forget` to end without stopping it. */
import { startPostgres } from "../../src/index.ts";

const [, , dataDir = "", mode] = process.argv;
const server = await startPostgres({ dataDir, durable: false });
console.log(JSON.stringify({ url: server.url, attached: server.attached }));
if (mode !== "forget") setInterval(() => undefined, 60_000);
