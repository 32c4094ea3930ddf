/** The settings in force, one line each, fit to be shown: secrets are masked. */
import { variables } from "./environment.ts";
import type { LoadedConfig } from "./load.ts";

export interface EffectiveSetting {
  readonly path: string;
  readonly value: unknown;
  readonly source: string;
  /** The environment variable that sets it, where there is one. */
  readonly variable: string | undefined;
}

export function effectiveConfig({ config, sourceOf }: LoadedConfig): readonly EffectiveSetting[] {
  const variableOf = new Map(Object.entries(variables).map(([name, { path }]) => [path, name]));
  const settings: EffectiveSetting[] = [];
  const visit = (value: unknown, path: string) => {
    const isSection =
      value !== null && typeof value === "object" && Object.keys(value).length > 0 && !isPlainList(value);
    if (!isSection)
      settings.push({ path, value: masked(path, value), source: sourceOf(path), variable: variableOf.get(path) });
    else for (const [key, child] of Object.entries(value)) visit(child, path === "" ? key : `${path}.${key}`);
  };
  visit(config, "");
  return settings;
}

function isPlainList(value: object): boolean {
  return Array.isArray(value) && value.every((element) => element === null || typeof element !== "object");
}

function masked(path: string, value: unknown): unknown {
  if (typeof value !== "string") return value;
  if (path.endsWith("apiKey") || path === "api.key") return "***";
  if (!path.endsWith("Url")) return value;
  // A password may stand in the user part or in a parameter.
  return value
    .replace(
      /^(\w+:\/\/)([^@/]*)@/,
      (_all, scheme: string, user: string) => `${scheme}${user.split(":")[0] ?? ""}:***@`,
    )
    .replace(/([?&](?:password|sslpassword)=)[^&]*/g, "$1***");
}
