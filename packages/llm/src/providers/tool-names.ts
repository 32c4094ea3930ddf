/**
 * Names of tools on the wire.
 *
 * Purpose: providers take letters, digits, `_` and `-`, 64 of them; ours have dots and may be longer. Boundary: one
 * request; a name that the model made up comes back as it wrote it, for the caller to refuse.
 *
 * 1. Two tools of a request never share a name on the wire.
 */
export interface ToolNames {
  toWire(tool: string): string;
  fromWire(wire: string): string;
}

const longest = 64;

export function toolNames(tools: readonly string[]): ToolNames {
  const wires = new Map<string, string>();
  const back = new Map<string, string>();
  for (const tool of tools) {
    if (wires.has(tool)) continue;
    const plain = plainName(tool);
    let wire = plain;
    for (let no = 2; back.has(wire); no++) wire = `${plain.slice(0, longest - 4)}_${no}`;
    wires.set(tool, wire);
    back.set(wire, tool);
  }
  return {
    // A history may name tools that the request no longer offers.
    toWire: (tool) => wires.get(tool) ?? plainName(tool),
    fromWire: (wire) => back.get(wire) ?? wire,
  };
}

const plainName = (tool: string): string => tool.replace(/[^A-Za-z0-9_-]/g, "_").slice(0, longest) || "_";
