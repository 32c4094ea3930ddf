/** MCP servers: what workers found of them, and what is accepted of their tools. */
import type { McpTool } from "@baton/contracts";
import { connect } from "../connection/connection.ts";
import { type Console, openConsole } from "../console/console.ts";
import { jsonLines } from "../console/json.ts";
import { fit, oneLine, wrap } from "../console/text.ts";
import { CommandFailure, exits } from "../failure.ts";

interface CommonOptions {
  readonly data?: string;
  readonly json?: boolean;
}

export async function listMcp({ all, data, json }: CommonOptions & { readonly all?: boolean }): Promise<number> {
  const { client } = await connect(data);
  const { servers } = await client.request("listMcpServers", {});
  const console = openConsole();
  for (const server of servers) {
    if (json === true) {
      console.data(JSON.stringify(server));
      continue;
    }
    const { name, listedAt, problem, tools } = server;
    const when = listedAt === undefined ? "not listed yet" : `listed ${listedAt.slice(0, 19).replace("T", " ")}Z`;
    console.data(fit(`${oneLine(name)}  ${tools.length} tools, ${when}`, console.columns - 1));
    if (problem !== undefined) console.data(console.paintData("red", wrap(problem, console.columns - 1, "  ")));
    for (const tool of tools) for (const line of toolLines(tool, all === true, console)) console.data(line);
  }
  if (servers.length === 0 && json !== true)
    console.note("No MCP server is configured: BATON_MCP_SERVERS names the file.");
  return 0;
}

/** One line of a tool that may be called; of another one all that is needed to decide. */
export function toolLines(
  tool: McpTool,
  all: boolean,
  { columns: width, paintData }: Pick<Console, "columns" | "paintData">,
): string[] {
  const columns = width - 1;
  const { name, state, effect, description, inputSchema, why, accepted } = tool;
  const head = fit(`  ${oneLine(name)}  ${effect}  ${state}`, columns);
  if (why === undefined && !all) return [head];
  const told = (title: string, of: Pick<McpTool, "description" | "inputSchema">): string[] => [
    `    ${title}:`,
    wrap(of.description, columns, "      "),
    ...jsonLines(of.inputSchema, columns - 6).map((line) => `      ${line}`),
  ];
  return [
    why === undefined ? head : paintData("yellow", head),
    ...(why === undefined ? [] : [wrap(why, columns, "    ")]),
    ...(accepted === undefined ? [] : told(`accepted (${accepted.effect})`, accepted)),
    ...(state === "refused"
      ? []
      : told(accepted === undefined ? "says" : `now (${effect})`, { description, inputSchema })),
    // Never cut: it is there to be copied.
    ...(state === "changed" ? [`    npm run baton -- mcp accept ${name} --hash ${tool.hash}`] : []),
  ];
}

/** Without a hash, as it is now; with one, only what was looked at. */
export async function acceptMcp(name: string, options: CommonOptions & { readonly hash?: string }): Promise<number> {
  const { client } = await connect(options.data);
  const { servers } = await client.request("listMcpServers", {});
  const tool = servers.flatMap(({ tools }) => tools).find((each) => each.name === name);
  if (tool === undefined) {
    const fix = "`baton mcp list` shows the tools that workers found.";
    throw new CommandFailure(exits.usage, `There is no tool "${name}" of an MCP server. ${fix}`);
  }
  const body = { hash: options.hash ?? tool.hash };
  const accepted = await client.request("acceptMcpTool", { params: { name }, body });
  const console = openConsole();
  if (options.json === true) console.data(JSON.stringify(accepted));
  else for (const line of toolLines(accepted, true, console)) console.data(line);
  return 0;
}
