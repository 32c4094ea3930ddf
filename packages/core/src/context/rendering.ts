import type { Material } from "../ports/model.ts";

/** Material as a prompt shows it; empty when there is none. */
export function renderMaterial(material: readonly Material[]): string {
  if (material.length === 0) return "";
  return `\n\nMaterial:${material.map(({ name, text }) => `\n\n<material name=${JSON.stringify(name)}>\n${text}\n</material>`).join("")}`;
}
