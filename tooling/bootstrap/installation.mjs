/**
 * What is installed, whether it is what the lockfile says, and the Node to run with.
 *
 * 1. The marker holds a hash of the lockfile and of every manifest; it is written last, so an interrupted installation
 *    is repeated.
 * 2. Two runs at once: one installs, the other waits and finds it done.
 */
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { withLock } from "./lock.mjs";

/** `fetch failed`-like words of pnpm and npm when there is no network. */
const noNetwork = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ENETUNREACH|ETIMEDOUT|fetch failed|META_FETCH_FAIL/;

export async function ensureInstalled(root, verbose) {
  if (missing(root) === undefined) return;
  mkdirSync(join(root, ".baton"), { recursive: true });
  await withLock(join(root, ".baton", "install.lock"), async () => {
    const reason = missing(root);
    if (reason === undefined) return;
    const version = JSON.parse(read(join(root, "package.json"))).devDependencies.pnpm;
    const started = Date.now();
    console.error(`baton: installing the dependencies from the package registry with pnpm ${version} (${reason}) …`);
    await install(root, version, verbose);
    writeFileSync(markerOf(root), fingerprint(root));
    console.error(`baton: installed in ${Math.round((Date.now() - started) / 1000)} s.`);
  });
}

/** A Node that runs TypeScript: the one from the registry, or else the system's. */
export function findNode(root) {
  const installed = join(root, "node_modules", ".bin", "node");
  if (existsSync(installed) && spawnSync(installed, ["--version"]).status === 0) return installed;
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > 22 || (major === 22 && minor >= 18)) return process.execPath;
  const platform = `${process.platform}-${process.arch}`;
  throw Object.assign(
    new Error(
      `Node ${process.versions.node} does not run TypeScript, and the package registry has no Node 24 that runs on ` +
        `${platform}: install Node 22.18 or newer (https://nodejs.org).`,
    ),
    { exitCode: 69 },
  );
}

/** Why an installation is needed, or undefined. */
function missing(root) {
  const modules = join(root, "node_modules");
  if (!existsSync(join(modules, ".modules.yaml"))) return "nothing is installed yet";
  if (manifests(root).some((path) => hasDependencies(path) && !existsSync(join(dirname(path), "node_modules")))) {
    return "a package has none";
  }
  if (existsSync(markerOf(root)) && read(markerOf(root)) === fingerprint(root)) return undefined;
  // Somebody ran pnpm by hand: its own record of what is installed is the lockfile it installed from.
  const installed = join(modules, ".pnpm", "lock.yaml");
  if (existsSync(installed) && read(installed) === read(join(root, "pnpm-lock.yaml"))) return undefined;
  return "the lockfile or a manifest has changed";
}

function markerOf(root) {
  return join(root, "node_modules", ".baton-installed");
}

function fingerprint(root) {
  const hash = createHash("sha256");
  for (const path of [join(root, "pnpm-lock.yaml"), join(root, "pnpm-workspace.yaml"), ...manifests(root)]) {
    hash.update(read(path)).update("\0");
  }
  return hash.digest("hex");
}

/** The root's manifest and those of the folders under `packages:` in pnpm-workspace.yaml (`name` or `name/*`). */
function manifests(root) {
  const [, list = ""] = /^packages:\n((?:[ \t]+-.*\n)*)/m.exec(read(join(root, "pnpm-workspace.yaml"))) || [];
  const patterns = list.split("\n").map((line) => line.replace(/^\s*-\s*/, "").replace(/["'\s]/g, ""));
  const folders = patterns.filter(Boolean).flatMap((pattern) => {
    if (!pattern.endsWith("/*")) return [pattern];
    const parent = pattern.slice(0, -2);
    return existsSync(join(root, parent)) ? readdirSync(join(root, parent)).map((name) => join(parent, name)) : [];
  });
  return ["", ...folders.sort((one, other) => (one < other ? -1 : 1))]
    .map((folder) => join(root, folder, "package.json"))
    .filter((path) => existsSync(path));
}

function hasDependencies(manifest) {
  const { dependencies, devDependencies } = JSON.parse(read(manifest));
  return Object.keys({ ...dependencies, ...devDependencies }).length > 0;
}

async function install(root, version, verbose) {
  const args = ["--yes", `pnpm@${version}`, "install", "--frozen-lockfile", "--prefer-offline"];
  const { code, output } = await runQuietly("npx", args, root, verbose);
  if (code === 0) return;
  if (!verbose) console.error(output);
  const hint = noNetwork.test(output)
    ? "the package registry could not be reached; connect to the network, or configure its address in ~/.npmrc"
    : "its output stands above; after editing a manifest, run `npx pnpm install` to renew the lockfile";
  throw Object.assign(new Error(`the installation failed (${code}): ${hint}.`), { exitCode: 69 });
}

function runQuietly(command, args, cwd, verbose) {
  // Without CI, pnpm asks before it replaces a node_modules folder, and nobody is there to answer.
  const env = { ...process.env, CI: "true" };
  const child = spawn(command, args, { cwd, env, stdio: ["ignore", verbose ? "inherit" : "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    if (stream) stream.on("data", (chunk) => (output += chunk));
  }
  if (verbose) child.stderr.pipe(process.stderr);
  const onSignal = (signal) => child.kill(signal);
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, onSignal);
  return new Promise((resolve) => {
    child.once("error", (error) => resolve({ code: 127, output: `${command}: ${error.message}` }));
    child.once("close", (code, signal) => {
      for (const name of ["SIGINT", "SIGTERM"]) process.removeListener(name, onSignal);
      resolve({ code: code === null ? signal : code, output });
    });
  });
}

function read(path) {
  return readFileSync(path, "utf8");
}
