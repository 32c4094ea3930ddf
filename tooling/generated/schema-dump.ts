/**
 * drizzle/schema.sql: what the migrations and the verbs leave in an empty database.
 *
 * Purpose: a change of the schema is read as one diff, whatever number of files made it. Boundary: our own
 * query of the catalogues, because a bare machine has no pg_dump; the dump is read, never run.
 *
 * 1. Everything is in the order of its name; columns are in the order of the table.
 * 2. A function's body stands in its own file; the dump has its SHA-256.
 */
import { migrate } from "@baton/store";
import { startTestPostgres } from "@baton/testing/servers";
import pg from "pg";
import type { Generator } from "./generation.ts";

/** Each query answers one column of lines. */
const sections = {
  types: `
    select format(E'create type %s.%I as (\\n%s\\n);', c.relnamespace::regnamespace, c.relname,
             (select string_agg(format('  %I %s', a.attname, format_type(a.atttypid, a.atttypmod)), E',\\n' order by a.attnum)
              from pg_attribute a where a.attrelid = c.oid and a.attnum > 0)) as text
    from pg_class c
    where c.relkind = 'c' and c.relnamespace::regnamespace::text in ('baton', 'baton_client', 'baton_v1')
    order by c.relnamespace::regnamespace::text, c.relname`,
  tables: `
    select concat_ws(E'\\n',
      format(E'create %stable %s.%I (\\n%s\\n)%s;',
        case c.relpersistence when 'u' then 'unlogged ' else '' end, n.nspname, c.relname,
        (select string_agg('  ' || line, E',\\n' order by rank, ord, line) from (
           select 0 as rank, a.attnum::int as ord, format('%I %s%s%s', a.attname, format_type(a.atttypid, a.atttypmod),
             case when a.attnotnull then ' not null' else '' end,
             case when d.adbin is null then '' else ' default ' || pg_get_expr(d.adbin, d.adrelid) end) as line
           from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
           where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
           union all
           select case k.contype when 'p' then 1 when 'f' then 2 else 3 end, 0, format('constraint %I %s', k.conname, pg_get_constraintdef(k.oid))
           from pg_constraint k where k.conrelid = c.oid and k.contype <> 'n') lines),
        case when c.reloptions is null then '' else format(' with (%s)', array_to_string(c.reloptions, ', ')) end),
      (select string_agg(pg_get_indexdef(i.indexrelid) || ';', E'\\n' order by i.indexrelid::regclass::text)
       from pg_index i where i.indrelid = c.oid and not exists (select from pg_constraint k where k.conindid = i.indexrelid and k.contype in ('p', 'u'))),
      case when c.relrowsecurity then format('alter table %s.%I enable row level security;', n.nspname, c.relname) end,
      case when c.relforcerowsecurity then format('alter table %s.%I force row level security;', n.nspname, c.relname) end,
      (select string_agg(format('create policy %I on %s.%I for %s to %s%s%s;', p.policyname, p.schemaname, p.tablename, lower(p.cmd),
          array_to_string(p.roles, ', '), ' using (' || p.qual || ')', ' with check (' || p.with_check || ')'), E'\\n' order by p.policyname)
       from pg_policies p where p.schemaname = n.nspname and p.tablename = c.relname),
      (select string_agg(format('grant %s on %s.%I to %s;', privileges, n.nspname, c.relname, grantee), E'\\n' order by grantee)
       from (select g.grantee::regrole::text as grantee, string_agg(lower(g.privilege_type), ', ' order by g.privilege_type) as privileges
             from aclexplode(c.relacl) g where g.grantee <> c.relowner group by 1) grants),
      '') as text
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'v', 'm', 'S') and n.nspname in ('baton', 'baton_client', 'baton_v1')
    order by n.nspname, c.relname`,
  schemas: `
    select format('grant %s on schema %s to %s;', string_agg(lower(g.privilege_type), ', ' order by g.privilege_type), n.nspname, g.grantee::regrole) as text
    from pg_namespace n cross join aclexplode(n.nspacl) g
    where n.nspname in ('baton', 'baton_client', 'baton_v1') and g.grantee <> n.nspowner
    group by n.nspname, g.grantee::regrole order by n.nspname, g.grantee::regrole::text`,
  functions: `
    select format(E'-- function %s.%I(%s)\\n--   returns %s; %s%s%s; body sha256 %s', p.pronamespace::regnamespace, p.proname,
             pg_get_function_arguments(p.oid), pg_get_function_result(p.oid), l.lanname,
             case p.provolatile when 'i' then ' immutable' when 's' then ' stable' else ' volatile' end,
             concat(case when p.prosecdef then ' security definer' end, case p.proparallel when 's' then ' parallel safe' end,
                    ' set ' || array_to_string(p.proconfig, ', ')),
             encode(sha256(convert_to(p.prosrc, 'UTF8')), 'hex')) as text
    from pg_proc p join pg_language l on l.oid = p.prolang
    where p.pronamespace::regnamespace::text in ('baton', 'baton_client', 'baton_v1')
    order by p.pronamespace::regnamespace::text, p.proname, pg_get_function_arguments(p.oid)`,
} as const;

const head = `-- What drizzle/*.sql and the verbs of packages/store leave in an empty database (PostgreSQL 18).
-- Generated by \`node tooling/generate.ts\`: read it, review its diff, never run it.
`;

/** The dump of a database that was migrated. */
async function dumpSchema(url: string): Promise<string> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    // Names are written with their schema, whoever is connected.
    await client.query("set search_path = pg_catalog");
    const parts = [head];
    for (const [section, query] of Object.entries(sections)) {
      const { rows } = await client.query<{ text: string }>(query);
      parts.push(`-- ${section}\n`, ...rows.map(({ text }) => text), "");
    }
    return `${parts.join("\n").trimEnd()}\n`;
  } finally {
    await client.end();
  }
}

async function dumpFresh(): Promise<string> {
  const server = await startTestPostgres();
  const admin = new pg.Client({ connectionString: server.url });
  const name = `baton_dump_${process.pid}`;
  try {
    await admin.connect();
    await admin.query(`create database ${name}`);
    const url = new URL(server.url);
    url.pathname = `/${name}`;
    await migrate(url.href);
    return await dumpSchema(url.href);
  } finally {
    await admin.query(`drop database if exists ${name} with (force)`);
    await admin.end();
    await server.stop();
  }
}

export const schemaDump: Generator = {
  name: "schema dump",
  files: ["drizzle/schema.sql"],
  generate: async () => new Map([["drizzle/schema.sql", await dumpFresh()]]),
};
