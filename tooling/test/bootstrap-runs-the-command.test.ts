import { spawn, spawnSync } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { chmod, cp, mkdir, mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished, vi } from "vitest";

const repository = fileURLToPath(new URL("../..", import.meta.url));
const guard = { timeout: 30_000, interval: 20 };

/** Stands for npx: what pnpm would leave behind, a line in `calls`, and the failure or the wait that a test asks for. */
const npx = `#!/bin/sh
echo "$@" >> "$CALLS"
[ -n "$NPX_FAILS" ] && { echo "$NPX_FAILS"; exit 7; }
while [ -n "$NPX_WAITS" ] && [ -e "$NPX_WAITS" ]; do sleep 0.05; done
mkdir -p node_modules/.bin
touch node_modules/.modules.yaml
echo "resolved 12 packages"
`;

/** Stands for the cli: says how it was called, then does what its first argument asks for. */
const main = `
const [, , command, ...args] = process.argv;
const { INIT_CWD, BATON_LIFETIME_FD, PATH, NODE_COMPILE_CACHE: cache } = process.env;
// Before it says anything: who hears of it may send a signal at once.
if (args[0] === "trap") {
  process.on("SIGINT", () => process.exit(41));
  process.on("SIGTERM", () => process.exit(42));
}
console.log(JSON.stringify({ command, args, cwd: process.cwd(), INIT_CWD, fd: BATON_LIFETIME_FD, path: PATH, cache, pid: process.pid }));
const stay = () => setInterval(() => undefined, 60_000);
if (args[0] === "exit") process.exit(Number(args[1]));
if (args[0] === "die") process.kill(process.pid, "SIGKILL");
if (args[0] === "stay" || args[0] === "trap") stay();
`;

interface Workspace {
  readonly root: string;
  calls(): string[];
  run(args: readonly string[], options?: Options): Call;
}

interface Options {
  readonly env?: Record<string, string>;
  readonly cwd?: string;
  readonly node?: string;
}

interface Call {
  readonly child: ChildProcess;
  output: string;
  errors: string;
  said(): Promise<Record<string, unknown>>;
  ended(): Promise<number | string | null>;
}

async function workspace(): Promise<Workspace> {
  const root = join(await realpath(await mkdtemp(join(tmpdir(), "baton-bootstrap-"))), "ein Müller");
  onTestFinished(() => rm(join(root, ".."), { recursive: true, force: true, maxRetries: 3 }));
  const write = async (path: string, content: string) => {
    await mkdir(join(root, path, ".."), { recursive: true });
    await writeFile(join(root, path), content);
  };
  await write("package.json", JSON.stringify({ type: "module", devDependencies: { pnpm: "1.2.3" } }));
  await write("pnpm-workspace.yaml", "packages:\n  - packages/*\n\nnodeVersion: 1.0.0\n");
  await write("pnpm-lock.yaml", "lockfileVersion: 9\n");
  await write("packages/leaf/package.json", "{}");
  await write("apps/cli/src/main.ts", main);
  await write("bin/npx", npx);
  await chmod(join(root, "bin", "npx"), 0o755);
  for (const part of ["tooling/bootstrap.mjs", "tooling/bootstrap", "packages/embedded/src/lifetime"]) {
    await cp(join(repository, part), join(root, part), { recursive: true });
  }
  const calls = join(root, "calls");
  return {
    root,
    calls: () => (existsSync(calls) ? readFileSync(calls, "utf8").trim().split("\n") : []),
    run: (args, options = {}) => start(root, args, { ...options, env: { CALLS: calls, ...options.env } }),
  };
}

function start(root: string, args: readonly string[], options: Options): Call {
  const {
    npm_lifecycle_event: _1,
    npm_config_loglevel: _2,
    INIT_CWD: _3,
    NODE_COMPILE_CACHE: _4,
    ...env
  } = process.env;
  const child = spawn(options.node ?? process.execPath, [join(root, "tooling", "bootstrap.mjs"), ...args], {
    cwd: options.cwd ?? root,
    env: { ...env, PATH: [join(root, "bin"), process.env["PATH"]].join(delimiter), ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const call: Call = {
    child,
    output: "",
    errors: "",
    said: () => vi.waitFor(() => JSON.parse(call.output) as Record<string, unknown>, guard),
    ended: () => ended,
  };
  const ended = new Promise<number | string | null>((resolve) =>
    child.once("close", (code, signal) => resolve(signal ?? code)),
  );
  child.stdout.on("data", (chunk: Buffer) => (call.output += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (call.errors += chunk.toString()));
  onTestFinished(() => void child.kill("SIGKILL"));
  return call;
}

async function gone(pid: unknown): Promise<void> {
  await vi.waitFor(() => expect(() => process.kill(Number(pid), 0)).toThrow("ESRCH"), guard);
}

describe("the installation", () => {
  it("is made once, said in one line, from the frozen lockfile with the pinned pnpm", async () => {
    const { run, calls } = await workspace();
    const first = run(["demo"]);
    expect(await first.ended()).toBe(0);
    expect(first.errors).toMatch(
      /^baton: installing the dependencies .*pnpm 1\.2\.3 \(nothing is installed yet\) …\nbaton: installed in \d+ s\.\n$/,
    );
    const second = run(["demo"]);
    expect(await second.ended()).toBe(0);
    expect(second.errors).toBe("");
    expect(calls()).toEqual(["--yes pnpm@1.2.3 install --frozen-lockfile --prefer-offline"]);
  });

  it.each(["pnpm-lock.yaml", "packages/leaf/package.json"])("is renewed when %s has changed", async (path) => {
    const { root, run, calls } = await workspace();
    await run(["demo"]).ended();
    await writeFile(join(root, path), `${await readFile(join(root, path), "utf8")}\n`);
    const call = run(["demo"]);
    expect(await call.ended()).toBe(0);
    expect(call.errors).toContain("the lockfile or a manifest has changed");
    expect(calls()).toHaveLength(2);
  });

  it("that pnpm made by hand from this lockfile is left alone", async () => {
    const { root, run, calls } = await workspace();
    await mkdir(join(root, "node_modules", ".pnpm"), { recursive: true });
    await writeFile(join(root, "node_modules", ".modules.yaml"), "");
    await cp(join(root, "pnpm-lock.yaml"), join(root, "node_modules", ".pnpm", "lock.yaml"));
    expect(await run(["demo"]).ended()).toBe(0);
    expect(calls()).toEqual([]);
  });

  it("is made once by two that need it at the same time", async () => {
    const { root, run, calls } = await workspace();
    const wait = join(root, "wait");
    await writeFile(wait, "");
    const both = [1, 2].map(() => run(["demo"], { env: { NPX_WAITS: wait } }));
    await vi.waitFor(() => expect(calls()).toHaveLength(1), guard);
    await rm(wait);
    expect(await Promise.all(both.map((call) => call.ended()))).toEqual([0, 0]);
    expect(calls()).toHaveLength(1);
  });

  it("is made again after it was killed half way", async () => {
    const { root, run, calls } = await workspace();
    const wait = join(root, "wait");
    await writeFile(wait, "");
    const killed = run(["demo"], { env: { NPX_WAITS: wait } });
    await vi.waitFor(() => expect(calls()).toHaveLength(1), guard);
    killed.child.kill("SIGKILL");
    await rm(wait);
    expect(existsSync(join(root, ".baton", "install.lock"))).toBe(true);
    expect(await run(["demo"]).ended()).toBe(0);
    expect(calls()).toHaveLength(2);
    expect(existsSync(join(root, ".baton", "install.lock"))).toBe(false);
  });

  it("shows its output when it fails, ends with 69, and is tried again", async () => {
    const { run, calls } = await workspace();
    const failed = run(["demo"], { env: { NPX_FAILS: "ERR_PNPM_OUTDATED_LOCKFILE" } });
    expect(await failed.ended()).toBe(69);
    expect(failed.errors).toMatch(
      /ERR_PNPM_OUTDATED_LOCKFILE\n+baton: the installation failed \(7\): its output stands above/,
    );
    const offline = run(["demo"], { env: { NPX_FAILS: "getaddrinfo ENOTFOUND registry" } });
    expect(await offline.ended()).toBe(69);
    expect(offline.errors).toContain("the package registry could not be reached");
    expect(await run(["demo"]).ended()).toBe(0);
    expect(calls()).toHaveLength(3);
  });

  it("shows its output with --verbose", async () => {
    const { run } = await workspace();
    const call = run(["--verbose", "demo"]);
    expect(await call.ended()).toBe(0);
    expect(call.output).toContain("resolved 12 packages");
  });
});

describe("the command", () => {
  it("gets its arguments, the root as its folder, the caller's folder, and the installed programs first", async () => {
    const { root, run } = await workspace();
    const call = run(["dev", "--dir", "a b", "--", "-x"], { cwd: join(root, "packages") });
    expect(await call.said()).toMatchObject({
      command: "dev",
      args: ["--dir", "a b", "--", "-x"],
      cwd: root,
      INIT_CWD: join(root, "packages"),
      path: expect.stringMatching(`^${join(root, "node_modules", ".bin")}:`),
    });
    expect((await call.said())["fd"]).toBeUndefined();
  });

  it("is told the folder that npm was called from", async () => {
    const { run } = await workspace();
    expect(await run(["baton", "run"], { env: { INIT_CWD: "/srv" } }).said()).toMatchObject({
      command: "run",
      INIT_CWD: "/srv",
    });
  });

  it("keeps what it compiles below node_modules, unless the caller says where", async () => {
    const { root, run } = await workspace();
    const kept = join(root, "node_modules", ".cache", "node-compile");
    expect(await run(["baton"]).said()).toMatchObject({ cache: kept });
    const folder = join(root, "elsewhere");
    expect(await run(["baton"], { env: { NODE_COMPILE_CACHE: folder } }).said()).toMatchObject({ cache: folder });
  });

  it("passes on its exit code, and 128 + n for a signal", async () => {
    const { run } = await workspace();
    expect(await run(["demo", "exit", "65"]).ended()).toBe(65);
    expect(await run(["demo", "die"]).ended()).toBe(137);
  });

  it.each([
    ["SIGINT", 41],
    ["SIGTERM", 42],
  ] as const)("gets %s", async (signal, code) => {
    const { run } = await workspace();
    const call = run(["dev", "trap"]);
    await call.said();
    call.child.kill(signal);
    expect(await call.ended()).toBe(code);
  });

  it("leaves when the bootstrap is killed", async () => {
    const { run } = await workspace();
    const call = run(["dev", "stay"]);
    const { pid } = await call.said();
    call.child.kill("SIGKILL");
    await gone(pid);
  });

  it.each([
    ["with a shell between", '"$0" -c "\\"$1\\" tooling/bootstrap.mjs dev stay; true" & wait'],
    ["that called it itself", '"$1" tooling/bootstrap.mjs dev stay & wait'],
  ])("leaves when the npm %s is killed", async (_how, script) => {
    const { root, run } = await workspace();
    await run(["demo"]).ended();
    const npm = spawn("/bin/sh", ["-c", script, "/bin/sh", process.execPath], {
      cwd: root,
      env: { ...process.env, npm_lifecycle_event: "dev" },
      stdio: ["ignore", "pipe", "ignore"],
    });
    let output = "";
    npm.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
    const { pid } = await vi.waitFor(() => JSON.parse(output) as Record<string, unknown>, guard);
    npm.kill("SIGKILL");
    await gone(pid);
  });

  it("is refused by name when there is none such", async () => {
    const { run, calls } = await workspace();
    for (const args of [["unheard"], [], ["toString"]]) {
      const call = run(args);
      expect(await call.ended()).toBe(64);
      expect(call.errors).toContain("one of demo, dev, baton, migrate");
    }
    expect(calls()).toEqual([]);
  });
});

describe("the Node that runs it", () => {
  it("is the installed one, when that works", async () => {
    const { root, run } = await workspace();
    await run(["demo"]).ended();
    const installed = join(root, "node_modules", ".bin", "node");
    await writeFile(installed, `#!/bin/sh\n[ "$1" = --version ] || echo chosen >&2\nexec "${process.execPath}" "$@"\n`);
    await chmod(installed, 0o755);
    expect((await finished(run(["demo"]))).errors).toBe("chosen\n");
    await writeFile(installed, "#!/bin/sh\nexit 1\n");
    expect(await run(["demo"]).ended()).toBe(0);
  });

  const old = oldNode();
  it("is asked for by version when there is none", async ({ skip }) => {
    skip(old === undefined, "no Node between 20.19 and 22.17 on PATH");
    const { run } = await workspace();
    const call = await finished(run(["demo"], { node: old ?? "" }));
    expect(await call.ended()).toBe(69);
    expect(call.errors).toMatch(/does not run TypeScript.*install Node 22\.18 or newer/);
  });
});

async function finished(call: Call): Promise<Call> {
  await call.ended();
  return call;
}

/** A Node between 20.19 and 22.17 on PATH: enough for the bootstrap, too old for TypeScript. */
function oldNode(): string | undefined {
  return (process.env["PATH"] ?? "")
    .split(delimiter)
    .map((folder) => join(folder, "node"))
    .find((path) => {
      if (!existsSync(path)) return false;
      const version = spawnSync(path, ["--version"], { encoding: "utf8" }).stdout.slice(1).split(".").map(Number);
      const [major = 0, minor = 0] = version;
      return (major === 20 && minor >= 19) || major === 21 || (major === 22 && minor < 18);
    });
}
