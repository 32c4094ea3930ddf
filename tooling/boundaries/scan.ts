/**
 * The boundary check: every import and every manifest of the repository against the tables of `rules.ts`.
 *
 * Boundary: reads one tree and answers findings; `check.ts` prints them.
 * 1. A finding names the rule it breaks, the file or manifest that breaks it, and the reason of the rule.
 * 2. A graph with too few modules or without edges between rooms is itself a finding: a scan that sees nothing
 *    finds nothing.
 */
import { listRooms, isTest, type Room } from "../workspace/workspace.ts";
import { findCycles } from "./cycles.ts";
import { type Module, readGraph } from "./graph.ts";
import {
  coreVendors,
  declaredButNotImported,
  kindRules,
  type RoomKind,
  type RuleName,
  roomKinds,
  sharedVendors,
  testsMayAlsoImport,
} from "./rules.ts";

export interface Finding {
  readonly rule: RuleName;
  readonly where: string;
  readonly what: string;
}

export interface Scan {
  readonly findings: readonly Finding[];
  readonly moduleCount: number;
  readonly importCount: number;
}

export function scanBoundaries(root: string, minimum: { modules: number; roomImports: number }): Scan {
  const rooms = listRooms(root);
  const modules = readGraph(root, rooms);
  const importCount = modules.reduce((sum, module) => sum + module.imports.length, 0);
  const findings = [
    ...checkSize(modules, minimum),
    ...checkPlaces(rooms),
    ...modules.flatMap((module) => checkModule(module, rooms)),
    ...checkCycles(modules),
    ...checkVendors(rooms),
  ];
  return { findings, moduleCount: modules.length, importCount };
}

function checkSize(modules: readonly Module[], minimum: { modules: number; roomImports: number }): Finding[] {
  const roomImports = modules.reduce(
    (sum, module) => sum + module.imports.filter(({ target }) => isOtherRoom(module, target)).length,
    0,
  );
  if (modules.length >= minimum.modules && roomImports >= minimum.roomImports) return [];
  const seen = `${modules.length} modules and ${roomImports} imports between rooms`;
  const expected = `at least ${minimum.modules} and ${minimum.roomImports}`;
  return [
    { rule: "graph-is-not-empty", where: "pnpm-workspace.yaml", what: `the scan sees ${seen}, expected ${expected}` },
  ];
}

function isOtherRoom(module: Module, target: Module["imports"][number]["target"]): boolean {
  return target.kind === "file" && !target.file.startsWith(`${module.room}/`);
}

function checkPlaces(rooms: readonly Room[]): Finding[] {
  return rooms
    .filter(({ folder }) => roomKinds[folder] === undefined)
    .map(({ folder }) => ({
      rule: "every-room-is-placed",
      where: folder,
      what: "has no kind in tooling/boundaries/rules.ts: say which rooms it may import",
    }));
}

function checkModule(module: Module, rooms: readonly Room[]): Finding[] {
  const kind = roomKinds[module.room];
  if (kind === undefined) return [];
  return module.imports.flatMap(({ specifier, target }) => {
    if (target.kind === "builtin") return checkBuiltin(module, kind, specifier);
    if (target.kind === "vendor") return checkVendorImport(module, kind, target.name);
    const room = rooms.find(({ folder }) => target.file.startsWith(`${folder}/`));
    if (room === undefined || room.folder === module.room) return [];
    return checkRoomImport(module, kind, specifier, room);
  });
}

function checkBuiltin(module: Module, kind: RoomKind, specifier: string): Finding[] {
  if (kind !== "core" || isTest(module.file)) return [];
  const what = `imports ${specifier}: time, ids and everything outside are handed in`;
  return [{ rule: "core-does-no-io", where: module.file, what }];
}

function checkVendorImport(module: Module, kind: RoomKind, vendor: string): Finding[] {
  if (isTest(module.file)) return [];
  if (kind === "core" && !coreVendors.includes(vendor)) {
    const what = `imports ${vendor}: core's vendors are ${coreVendors.join(" and ")}`;
    return [{ rule: "core-imports-only-its-vendors", where: module.file, what }];
  }
  const exception = declaredButNotImported[vendor];
  if (exception && exception.alsoIn === module.room) {
    const what = `imports ${vendor}, which stands in its manifest only because ${exception.because}; its owner is ${exception.owner}`;
    return [{ rule: "vendor-imported-only-by-its-owner", where: module.file, what }];
  }
  return [];
}

function checkRoomImport(module: Module, kind: RoomKind, specifier: string, room: Room): Finding[] {
  const findings: Finding[] = [];
  const found = (rule: RuleName, what: string) => findings.push({ rule, where: module.file, what });
  const targetKind = roomKinds[room.folder];
  const { rule, mayImport, also = [], because } = kindRules[kind];

  if (specifier.startsWith(".")) {
    found(
      "enter-a-room-by-its-exports",
      `imports ${specifier}: write ${room.manifest.name}, and export there what is missing`,
    );
  }
  if (targetKind === undefined || mayImport.includes(targetKind) || also.includes(room.folder)) return findings;
  if (isTest(module.file)) {
    if (testsMayAlsoImport.includes(targetKind)) return findings;
    if (targetKind === "app" || targetKind === "cli" || targetKind === "web") {
      found("tests-import-no-app", `imports ${specifier}: what spans rooms is tested in tests/`);
      return findings;
    }
  }
  if (targetKind === "testing") {
    found("testing-only-in-tests", `imports ${specifier}: only tests, bench and tooling may`);
    return findings;
  }
  found(rule, `imports ${specifier} (${targetKind}): ${because}`);
  return findings;
}

function checkCycles(modules: readonly Module[]): Finding[] {
  const files = new Set(modules.map(({ file }) => file));
  const graph = new Map(
    modules.map(({ file, imports }) => [
      file,
      imports.flatMap(({ target }) => (target.kind === "file" && files.has(target.file) ? [target.file] : [])),
    ]),
  );
  return findCycles(graph).map((cycle) => ({ rule: "no-cycle", where: cycle[0] ?? "", what: cycle.join(" → ") }));
}

function checkVendors(rooms: readonly Room[]): Finding[] {
  const ours = new Set(rooms.map(({ manifest }) => manifest.name));
  const owners = new Map<string, string[]>();
  for (const { folder, manifest } of rooms) {
    for (const vendor of Object.keys(manifest.dependencies ?? {})) {
      if (ours.has(vendor) || sharedVendors[vendor] !== undefined) continue;
      if (declaredButNotImported[vendor]?.alsoIn === folder) continue;
      owners.set(vendor, [...(owners.get(vendor) ?? []), folder]);
    }
  }
  return [...owners]
    .filter(([, folders]) => folders.length > 1)
    .map(([vendor, folders]) => ({
      rule: "one-room-per-vendor",
      where: folders.map((folder) => `${folder}/package.json`).join(", "),
      what: `${vendor} stands in ${folders.length} rooms: one owns it, the others reach it through a port`,
    }));
}
