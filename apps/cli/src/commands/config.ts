/** `baton config`: the settings in force, with secrets masked. */
import { effectiveConfig, loadConfig } from "@baton/config";
import { openConsole } from "../console/console.ts";

export function showConfig(options: { readonly json?: boolean }): number {
  const settings = effectiveConfig(loadConfig({ folder: process.cwd(), env: process.env }));
  const console = openConsole();
  if (options.json === true) {
    for (const setting of settings) console.data(JSON.stringify(setting));
    return 0;
  }
  const rows = settings.map(({ path, value, source, variable }) => ({
    path,
    value: value === undefined ? "(not set)" : JSON.stringify(value),
    from: source === "default" && variable !== undefined ? `default; set ${variable}` : source,
  }));
  const widest = (of: (row: (typeof rows)[number]) => string) => Math.max(...rows.map((row) => of(row).length));
  const [paths, values] = [
    widest(({ path }) => path),
    Math.min(
      40,
      widest(({ value }) => value),
    ),
  ];
  for (const { path, value, from } of rows) {
    console.data(`${path.padEnd(paths)}  ${value.padEnd(values)}  ${console.paintData("dim", from)}`);
  }
  return 0;
}
