/** What workers find of MCP servers, and what people accept; see mcp.sql. */
import { defaultTenantId } from "@baton/core";
import { type Connections, type Database, rowsOf } from "../connection/pools.ts";
import { sql } from "../connection/sql.ts";

/** What is told of a tool. */
export interface McpToolDefinition {
  readonly description: string;
  readonly inputSchema: Readonly<Record<string, unknown>>;
  readonly effect: "read" | "idempotent" | "write" | "irreversible";
}

export interface FoundMcpTool extends McpToolDefinition {
  readonly name: string;
  readonly hash: string;
  readonly refusal?: string;
}

/** `changed`: the server says something else of it than what was accepted. `gone`: it no longer lists it. */
export type McpToolState = "accepted" | "changed" | "refused" | "gone";

export interface McpToolRow {
  readonly server: string;
  readonly name: string;
  readonly state: McpToolState;
  /** As listed last. */
  readonly definition: McpToolDefinition;
  readonly hash: string;
  readonly refusal: string | null;
  readonly accepted: McpToolDefinition | null;
  /** A key's id, or `first-use`. */
  readonly acceptedBy: string | null;
  /** Unix ms. */
  readonly acceptedAt: number | null;
  /** Unix ms. */
  readonly changedAt: number;
}

export interface McpServerRow {
  readonly server: string;
  /** Unix ms. */
  readonly listedAt: number | null;
  readonly problem: string | null;
}

const toolColumnsText = `t.server, t.tool as name, t.definition, t.hash, t.refusal, t.accepted, t.accepted_by as "acceptedBy",
  (extract(epoch from t.accepted_at) * 1000)::float8 as "acceptedAt", (extract(epoch from t.changed_at) * 1000)::float8 as "changedAt",
  case when t.refusal is not null then 'refused' when not t.offered then 'gone'
       when t.accepted_hash = t.hash then 'accepted' else 'changed' end as state`;
const toolColumns = sql.raw(toolColumnsText);

/** The catalogue of the installation's MCP servers, for processes that perform steps. */
export interface McpStore {
  /** What a tool is at first sight counts as accepted, unless it is refused. */
  recordListing(server: string, settingsHash: string, tools: readonly FoundMcpTool[]): Promise<void>;
  recordProblem(server: string, settingsHash: string, problem: string): Promise<void>;
  /** Whether a list is known that the server gave under the same settings. */
  isListed(server: string, settingsHash: string): Promise<boolean>;
  readTools(servers: readonly string[]): Promise<readonly McpToolRow[]>;
}

/** As baton_engine. Index: primary keys, mcp_tool_by_server. */
export function createMcpStore({ engine }: Pick<Connections, "engine">): McpStore {
  return {
    async recordListing(server, settingsHash, tools) {
      const listed = tools.map(({ name, hash, refusal = null, description, inputSchema, effect }) => {
        return { name, hash, refusal, definition: { description, inputSchema, effect } };
      });
      await engine("select * from baton_v1.record_mcp_listing($1, $2, $3, $4::jsonb)", [
        defaultTenantId,
        server,
        settingsHash,
        storable(JSON.stringify(listed)),
      ]);
    },
    async recordProblem(server, settingsHash, problem) {
      const told = problem.replaceAll("\0", "").toWellFormed();
      await engine("select baton_v1.record_mcp_problem($1, $2, $3, $4)", [defaultTenantId, server, settingsHash, told]);
    },
    async isListed(server, settingsHash) {
      const rows = await engine<{ found: number }>(
        `select 1 as found from baton.mcp_server
         where server = $1 and tenant_id = $2 and settings_hash = $3 and listed_at is not null`,
        [server, defaultTenantId, settingsHash],
      );
      return rows.length > 0;
    },
    readTools: (servers) =>
      engine<McpToolRow>(
        `select ${toolColumnsText} from baton.mcp_tool t
         where t.tenant_id = $1 and t.server = any ($2::text[]) order by t.server, t.tool`,
        [defaultTenantId, servers],
      ),
  };
}

/** jsonb keeps neither NUL nor half a surrogate pair. */
const storable = (json: string): string =>
  json
    .replace(/\\u0000/g, "\\ufffd")
    .replace(/\\ud[89ab][0-9a-f]{2}(?!\\ud[c-f])|(?<!\\ud[89ab][0-9a-f]{2})\\ud[c-f][0-9a-f]{2}/gi, "\\ufffd");

/** For clients. Index: mcp_tool_by_server. */
export async function listMcp(
  db: Database,
  tenantId: string,
): Promise<{ readonly servers: readonly McpServerRow[]; readonly tools: readonly McpToolRow[] }> {
  const servers = await rowsOf<McpServerRow>(
    db,
    sql`select server, (extract(epoch from listed_at) * 1000)::float8 as "listedAt", problem
        from baton.mcp_server where tenant_id = ${tenantId}::uuid order by server`,
  );
  const tools = await rowsOf<McpToolRow>(
    db,
    sql`select ${toolColumns} from baton.mcp_tool t where t.tenant_id = ${tenantId}::uuid order by t.server, t.tool`,
  );
  return { servers, tools };
}

/** Undefined: there is no such tool, it is refused, or it is something else by now than what was seen. Index: primary key. */
export async function acceptMcpTool(
  db: Database,
  tenantId: string,
  seen: { readonly server: string; readonly tool: string; readonly hash: string; readonly by: string },
): Promise<McpToolRow | undefined> {
  const rows = await rowsOf<McpToolRow>(
    db,
    sql`update baton.mcp_tool t
        set accepted_by = case when t.accepted_hash = t.hash then t.accepted_by else ${seen.by} end,
            accepted_at = case when t.accepted_hash = t.hash then t.accepted_at else baton.clock() end,
            accepted = t.definition, accepted_hash = t.hash
        where t.tool = ${seen.tool} and t.server = ${seen.server} and t.tenant_id = ${tenantId}::uuid
          and t.hash = ${seen.hash} and t.refusal is null
        returning ${toolColumns}`,
  );
  return rows[0];
}
