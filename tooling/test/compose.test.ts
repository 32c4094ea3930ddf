import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { listFiles } from "../workspace/workspace.ts";

const repository = path.resolve(import.meta.dirname, "../..");
const read = (file: string) => readFileSync(path.join(repository, file), "utf8");

interface Service {
  image: string;
  build?: string;
  command?: string[];
  environment?: Record<string, string>;
  depends_on?: Record<string, { condition: string }>;
  healthcheck?: { test: string[] };
  volumes?: string[];
  ports?: string[];
}

const compose = parse(read("docker-compose.yml"), { merge: true }) as {
  services: Record<string, Service>;
  volumes: Record<string, unknown>;
};
const services = Object.entries(compose.services);
const ours = services.filter(([, { build }]) => build !== undefined);

/** Instructions of a Dockerfile, continuation lines joined. */
const instructions = read("Dockerfile")
  .replaceAll("\\\n", " ")
  .split("\n")
  .filter((line) => /^[A-Z]+ /.test(line));

const ignored = read(".dockerignore")
  .split("\n")
  .filter((line) => line !== "");

function isIgnored(file: string): boolean {
  return ignored.some((pattern) => path.matchesGlob(file, pattern) || path.matchesGlob(file, `${pattern}/**`));
}

describe("docker-compose.yml", () => {
  test("runs PostgreSQL, Redis, the migration, the api and workers", () => {
    expect(Object.keys(compose.services)).toEqual(["postgres", "redis", "migrate", "api", "worker"]);
  });

  test("Redis never evicts, and keeps what it has accepted", () => {
    const command = compose.services["redis"]?.command?.join(" ");
    expect(command).toContain("--maxmemory-policy noeviction");
    expect(command).toContain("--appendonly yes");
  });

  test.each(ours)("%s starts a file that exists and that the image contains", (_name, { command, build }) => {
    expect(existsSync(path.join(repository, build ?? "", "Dockerfile"))).toBe(true);
    const [node, file = "", ...rest] = command ?? [];
    expect(node).toBe("node");
    expect(existsSync(path.join(repository, file)), file).toBe(true);
    expect(isIgnored(file), `${file} is left out by .dockerignore`).toBe(false);
    const sources = listFiles(repository, path.dirname(file), [".ts"]).map(read).join("\n");
    for (const word of rest) expect(sources, `${file} knows ${word}`).toContain(`"${word}"`);
  });

  test.each(ours)("%s waits for PostgreSQL to be healthy, directly or through the migration", (_name, service) => {
    const { postgres, migrate } = service.depends_on ?? {};
    expect(postgres?.condition ?? migrate?.condition).toBe(
      migrate ? "service_completed_successfully" : "service_healthy",
    );
  });

  test.each(services)("%s depends only on services that can reach the condition", (_name, { depends_on = {} }) => {
    for (const [dependency, { condition }] of Object.entries(depends_on)) {
      const target = compose.services[dependency];
      expect(target, dependency).toBeDefined();
      if (condition === "service_healthy") expect(target?.healthcheck, dependency).toBeDefined();
    }
  });

  test.each(services)("%s mounts only volumes that are declared", (_name, { volumes = [] }) => {
    for (const volume of volumes) expect(Object.keys(compose.volumes)).toContain(volume.split(":")[0]);
  });

  test("every variable of our processes is one that docs/environment.json names", () => {
    const { variables } = JSON.parse(read("docs/environment.json")) as { variables: { name: string }[] };
    const used = new Set(ours.flatMap(([, { environment = {} }]) => Object.keys(environment)));
    expect(used.size).toBeGreaterThan(0);
    expect(variables.map(({ name }) => name)).toEqual(expect.arrayContaining([...used]));
  });

  test("a health check is a list of words, and asks the port that its service listens on", () => {
    for (const [name, { healthcheck }] of services) {
      for (const word of healthcheck?.test ?? []) expect(word, name).toBeTypeOf("string");
    }
    for (const [name, { environment = {}, healthcheck }] of ours) {
      const port = environment["BATON_PORT"] ?? environment["BATON_HEALTH_PORT"];
      if (port !== undefined) expect(healthcheck?.test.join(" "), name).toContain(`127.0.0.1:${port}/health/`);
    }
  });
});

describe("Dockerfile", () => {
  test("copies only what exists and is not left out", () => {
    const copies = instructions.filter((line) => line.startsWith("COPY ") && !line.includes("--from="));
    expect(copies.length).toBeGreaterThan(0);
    for (const copy of copies) {
      for (const source of copy.split(/\s+/).slice(1, -1)) {
        expect(existsSync(path.join(repository, source)), source).toBe(true);
        expect(isIgnored(source), `${source} is left out by .dockerignore`).toBe(false);
      }
    }
  });

  test("takes the Node and the pnpm that the workspace pins", () => {
    const workspace = parse(read("pnpm-workspace.yaml")) as { nodeVersion: string };
    const manifest = JSON.parse(read("package.json")) as { devDependencies: { pnpm: string } };
    const text = instructions.join("\n");
    expect(text).toContain(`FROM node:${workspace.nodeVersion.split(".")[0]}-`);
    expect(text).toContain(`pnpm@${manifest.devDependencies.pnpm}`);
    expect(text).toContain("pnpm install --frozen-lockfile");
  });

  test("the processes run as an ordinary user", () => {
    const lastStage = instructions.slice(instructions.findLastIndex((line) => line.startsWith("FROM ")));
    expect(lastStage).toContain("USER node");
  });

  test("the image starts a file that exists", () => {
    const command = instructions.findLast((line) => line.startsWith("CMD "));
    const [node, file] = JSON.parse((command ?? "").slice("CMD ".length)) as [string, string];
    expect(node).toBe("node");
    expect(existsSync(path.join(repository, file)), file).toBe(true);
  });

  test("each room of the lockfile that production needs is in the image", () => {
    for (const folder of ["apps", "packages", "tooling", "examples", "drizzle"]) expect(isIgnored(folder)).toBe(false);
  });
});
