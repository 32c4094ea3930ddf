/**
 * What every `npm run …` and `npm test` of the repository goes through.
 *
 * Purpose: from a bare machine (Node 20.19 and npm) to the real command: install what is missing, find a Node that
 * runs TypeScript, run the command with it. Boundary: plain JavaScript without dependencies, and syntax that old
 * versions of Node can parse well enough to be told that they are too old.
 *
 * 1. Whatever folder it is called from, the command runs in the repository's root; INIT_CWD names the caller's
 *    folder, against which the command resolves relative paths.
 * 2. A complete installation is not touched, and needs no network.
 * 3. The command leaves with this process, and this process with the npm that started it, also on SIGKILL.
 * 4. The exit code is the command's; 128 + n when signal n ended it.
 */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { constants } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const cli = join("apps", "cli", "src", "main.ts");
const vitest = join("node_modules", "vitest", "vitest.mjs");
/** Half of what a start costs is compiling. Coverage of what comes from the cache would be less precise. */
const compiled = join(root, "node_modules", ".cache", "node-compile");

const commands = {
  demo: [cli, "demo"],
  dev: [cli, "dev"],
  baton: [cli],
  migrate: [cli, "migrate"],
  "db:migrate": [cli, "migrate"],
  test: [vitest, "run"],
  coverage: [vitest, "run", "--coverage"],
  chaos: [join("tests", "chaos", "main.ts")],
  bench: [join("bench", "main.ts")],
  chat: [join("examples", "chat", "serve.ts")],
  verify: [join("tooling", "verify.ts")],
};

async function main(args) {
  const verbose = args[0] === "--verbose" || /^(verbose|silly)$/.test(process.env.npm_config_loglevel || "");
  const [command, ...rest] = args.filter((arg, at) => at > 0 || arg !== "--verbose");
  refuseOldNode();
  const target = Object.hasOwn(commands, command || "") ? commands[command] : undefined;
  if (!target) {
    fail(64, `${command ? `Unknown command ${command}` : "No command"}: one of ${Object.keys(commands).join(", ")}.`);
  }
  const { ensureInstalled, findNode } = await import("./bootstrap/installation.mjs");
  await ensureInstalled(root, verbose);
  const node = findNode(root);
  const lifetime = pathToFileURL(join(root, "packages", "embedded", "src", "lifetime", "import.ts")).href;
  run(node, ["--import", lifetime, ...target, ...rest], command === "coverage" ? {} : { NODE_COMPILE_CACHE: compiled });
}

function refuseOldNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  fail(69, `Node ${process.versions.node} is too old: install Node 20.19 or newer (https://nodejs.org).`);
}

function run(node, args, defaults) {
  const child = spawn(node, args, {
    cwd: root,
    stdio: ["inherit", "inherit", "inherit", "pipe"],
    env: {
      ...defaults,
      ...process.env,
      INIT_CWD: process.env.INIT_CWD || process.cwd(),
      PATH: [join(root, "node_modules", ".bin"), process.env.PATH].join(delimiter),
      BATON_LIFETIME_FD: "3",
    },
  });
  child.stdio[3].on("error", () => {}); // A command that closes its end early is none of our business.
  // In a terminal, Ctrl-C reaches the command by itself; sent again, it would count as a second one.
  process.on("SIGINT", () => process.stdin.isTTY || child.kill("SIGINT"));
  for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  leaveWithNpm(() => child.kill("SIGTERM"));
  child.on("error", (error) => fail(70, `${node} could not be started: ${error.message}`));
  child.on("exit", (code, signal) => process.exit(signal ? 128 + constants.signals[signal] : code));
}

/** npm forwards SIGTERM; when npm itself is killed, the only sign is another parent, of us or of the shell between. */
function leaveWithNpm(leave) {
  if (!process.env.npm_lifecycle_event) return;
  const parent = process.ppid;
  const npm = isShell(parent) ? parentOf(parent) : undefined;
  const watch = setInterval(() => {
    if (process.ppid === parent && (npm === undefined || parentOf(parent) === npm)) return;
    clearInterval(watch);
    leave();
  }, 300);
  watch.unref();
}

/** Whether npm's `sh -c …` is still there; many shells replace themselves with its last command. */
function isShell(pid) {
  return /^\S*sh\0-c\0/.test(readIfThere(`/proc/${pid}/cmdline`));
}

function parentOf(pid) {
  const stat = readIfThere(`/proc/${pid}/stat`);
  return stat ? Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]) : undefined;
}

/** Empty where there is no /proc. */
function readIfThere(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function fail(code, message) {
  console.error(`baton: ${message}`);
  process.exit(code);
}

main(process.argv.slice(2)).catch((error) => fail(error.exitCode || 70, error.message));
