import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const src = new URL("../src/", import.meta.url);
const paths = readdirSync(src, { recursive: true, encoding: "utf8" });
const textsOf = (suffix: string): string[] =>
  paths.filter((name) => name.endsWith(suffix)).map((name) => readFileSync(new URL(name, src), "utf8"));

/** Verbs: the functions that TypeScript calls. */
const called = new Set(
  textsOf(".ts").flatMap((text) => [...text.matchAll(/baton_v1\.(\w+)\(/g)].map(([, name]) => name as string)),
);

interface SqlFunction {
  readonly name: string;
  /** The block of comments right above it. */
  readonly header: string;
  readonly body: string;
}

const functions: SqlFunction[] = textsOf(".sql").flatMap((text) =>
  [...text.matchAll(/((?:^--.*\n)*)^create function baton_v1\.(\w+)\(([\s\S]*?)^(?:end )?\$\$;/gm)].map(
    ([, header, name, body]) => ({ name: name as string, header: header as string, body: body as string }),
  ),
);
const verbs = functions.filter(({ name }) => called.has(name));
/** PostgreSQL lets no stable function write. */
const reads = ({ body }: SqlFunction): boolean => /\blanguage (sql|plpgsql) (stable|immutable)\b/.test(body);

describe("every verb", () => {
  it("that TypeScript calls is a function in a file of SQL", () => {
    expect(verbs.map(({ name }) => name).sort()).toEqual([...called].sort());
    expect(verbs.length).toBeGreaterThan(15);
  });

  it.each(verbs.filter((verb) => !reads(verb)))(
    "$name says right above it in which order it locks, by which index it finds, and how many rows it touches",
    ({ header, body }) => {
      // Whoever writes locks, too.
      expect(/\b(for (no key )?update|insert into|update baton|delete from|perform)\b/.test(body)).toBe(true);
      expect(header).toMatch(/Lock order: \S/);
      expect(header).toMatch(/Index: \S/);
      expect(header).toMatch(/Rows: \S/);
    },
  );

  it.each(verbs.filter(({ body }) => /for no key update/.test(body) && /task_execution_step s? ?set/.test(body)))(
    "$name that locks a task locks it before it writes a step",
    ({ body }) => {
      expect(body.search(/from baton\.task_execution( t)?\b[^;]*for no key update/)).toBeGreaterThan(-1);
      expect(body.indexOf("for no key update")).toBeLessThan(body.search(/update baton\.task_execution_step/));
    },
  );
});
