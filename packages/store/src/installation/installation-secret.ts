/** As baton_engine: the row is no tenant's. Two statements, so that the second sees a row that another process made. Index: primary key. */
import { BatonError } from "@baton/core";
import type { Connections } from "../connection/pools.ts";

/** The installation's secret: `candidate` for whoever is first, and the same for everybody after. */
export async function installationSecret(
  { engine }: Pick<Connections, "engine">,
  candidate: Uint8Array,
): Promise<Uint8Array> {
  await engine("insert into baton.installation (secret) values ($1) on conflict do nothing", [Buffer.from(candidate)]);
  const [row] = await engine<{ secret: Buffer }>("select secret from baton.installation");
  if (row === undefined) throw new BatonError("internal", "The row of baton.installation is gone.");
  return new Uint8Array(row.secret);
}
