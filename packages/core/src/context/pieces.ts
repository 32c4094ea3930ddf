/** Material divided into batches, each of which fits a prompt. */
import type { Material } from "../ports/model.ts";
import type { Budget } from "./budget.ts";

/** What the tags around one piece of material cost. */
const frameTokens = 30;

export async function* batchesOf(
  material: readonly Material[],
  room: number,
  budget: Budget,
): AsyncGenerator<readonly Material[]> {
  let batch: Material[] = [];
  let used = 0;
  for await (const piece of piecesOf(material, room - frameTokens, budget)) {
    const tokens = (await budget.estimate(`${piece.name}${piece.text}`)) + frameTokens;
    if (batch.length > 0 && used + tokens > room) {
      yield batch;
      batch = [];
      used = 0;
    }
    batch.push(piece);
    used += tokens;
  }
  if (batch.length > 0) yield batch;
}

async function* piecesOf(material: readonly Material[], room: number, budget: Budget): AsyncGenerator<Material> {
  for (const { name, text } of material) {
    for (let rest = text; rest !== ""; ) {
      const piece = await budget.cut(rest, room);
      // A room too small for one character still moves on, by a whole character.
      const end = Math.max(piece.length, (rest.codePointAt(0) ?? 0) > 0xffff ? 2 : 1);
      yield { name, text: rest.slice(0, end) };
      rest = rest.slice(end);
    }
  }
}
