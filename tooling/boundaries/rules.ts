/**
 * What may import what, as data.
 *
 * Boundary: tables and the names of the rules; the scan that reads them stands in `scan.ts`.
 * 1. Every room has exactly one kind; a room without one is a finding, so that nobody adds a room unplaced.
 * 2. Rooms of one kind never import each other.
 * 3. A vendor stands in the `dependencies` of one room, except those of the table below, each with its reason.
 */

export type RoomKind =
  | "core"
  | "engine"
  | "adapter"
  | "runtime"
  | "contracts"
  | "client"
  | "testing"
  | "app"
  | "cli"
  | "web"
  | "examples"
  | "outside";

export type RuleName =
  | "core-imports-no-room"
  | "engine-imports-only-core"
  | "adapters-import-only-core"
  | "runtime-composes-engine-and-adapters"
  | "contracts-import-only-core"
  | "client-imports-contracts-and-core"
  | "testing-imports-no-app-and-no-engine"
  | "apps-meet-rooms-not-apps"
  | "cli-speaks-only-to-the-api"
  | "web-speaks-only-to-the-api"
  | "examples-import-what-users-import"
  | "outside-imports-anything"
  | "testing-only-in-tests"
  | "tests-import-no-app"
  | "core-imports-only-its-vendors"
  | "core-does-no-io"
  | "no-cycle"
  | "one-room-per-vendor"
  | "vendor-imported-only-by-its-owner"
  | "enter-a-room-by-its-exports"
  | "every-room-is-placed"
  | "graph-is-not-empty";

export interface KindRule {
  readonly rule: RuleName;
  readonly mayImport: readonly RoomKind[];
  /** Rooms of other kinds that this kind may import, by folder. */
  readonly also?: readonly string[];
  readonly because: string;
}

const engineRooms = ["orchestrator", "executor", "housekeeping", "patterns", "hooks"];
const adapterRooms = ["store", "queue", "live", "llm", "tools", "telemetry", "embedded", "config", "definitions"];

export const roomKinds: Readonly<Record<string, RoomKind>> = {
  "packages/core": "core",
  ...Object.fromEntries(engineRooms.map((room) => [`packages/${room}`, "engine"] as const)),
  ...Object.fromEntries(adapterRooms.map((room) => [`packages/${room}`, "adapter"] as const)),
  "packages/runtime": "runtime",
  "packages/contracts": "contracts",
  "packages/client": "client",
  "packages/testing": "testing",
  "apps/api": "app",
  "apps/worker": "app",
  "apps/cli": "cli",
  "apps/web": "web",
  examples: "examples",
  tests: "outside",
  bench: "outside",
  tooling: "outside",
};

export const kindRules: Readonly<Record<RoomKind, KindRule>> = {
  core: { rule: "core-imports-no-room", mayImport: [], because: "the domain knows nobody" },
  engine: {
    rule: "engine-imports-only-core",
    mayImport: ["core"],
    because: "engine and adapters meet in packages/runtime, through the ports of core",
  },
  adapter: {
    rule: "adapters-import-only-core",
    mayImport: ["core"],
    because: "an adapter is replaceable as long as only its port is known",
  },
  runtime: {
    rule: "runtime-composes-engine-and-adapters",
    mayImport: ["core", "engine", "adapter"],
    because: "two apps perform steps, and what they are made of is composed once",
  },
  contracts: { rule: "contracts-import-only-core", mayImport: ["core"], because: "wire shapes name domain words only" },
  client: {
    rule: "client-imports-contracts-and-core",
    mayImport: ["contracts", "core"],
    because: "users install it alone, and what it lays out in their transaction is laid out by the api's own code",
  },
  testing: {
    rule: "testing-imports-no-app-and-no-engine",
    mayImport: ["core", "contracts", "client", "adapter"],
    because: "its servers and suites serve the tests of every room",
  },
  app: {
    rule: "apps-meet-rooms-not-apps",
    mayImport: ["core", "contracts", "engine", "adapter", "runtime"],
    because: "processes meet over HTTP, the queue and PostgreSQL",
  },
  cli: {
    rule: "cli-speaks-only-to-the-api",
    mayImport: ["client", "contracts"],
    also: ["packages/embedded", "packages/config", "packages/definitions"],
    because:
      "what it needs is on the wire (`dev` alone supervises the local stack, `config` and `eval` alone read the caller's files)",
  },
  web: {
    rule: "web-speaks-only-to-the-api",
    mayImport: ["client", "contracts"],
    because: "what it needs is on the wire",
  },
  examples: {
    rule: "examples-import-what-users-import",
    mayImport: ["core", "client"],
    also: ["packages/tools", "packages/orchestrator", "packages/runtime", "apps/worker"],
    because: "users copy them",
  },
  outside: {
    rule: "outside-imports-anything",
    mayImport: [
      "core",
      "engine",
      "adapter",
      "runtime",
      "contracts",
      "client",
      "testing",
      "app",
      "cli",
      "web",
      "examples",
      "outside",
    ],
    because: "it stands outside the product",
  },
};

/** What a room's own tests may import beyond what the room may: real adapters, and the testing room. */
export const testsMayAlsoImport: readonly RoomKind[] = ["core", "contracts", "client", "adapter", "testing"];

export const coreVendors: readonly string[] = ["zod", "@marcbachmann/cel-js"];

/** Vendors that several rooms may depend on. */
export const sharedVendors: Readonly<Record<string, string>> = {
  "zod": "shapes are declared where they belong, and a tool or a step declares its own",
  "@hono/node-server": "the HTTP listener of two processes: the api and the worker's health port",
};

/** Vendors that stand in a second manifest for a reason other than being imported there. */
export const declaredButNotImported: Readonly<Record<string, { owner: string; alsoIn: string; because: string }>> = {
  pg: {
    owner: "packages/store",
    alsoIn: "packages/queue",
    because: "BullMQ's PostgreSQL backend asks for it as a peer",
  },
};
