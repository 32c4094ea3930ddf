/** The whole system for end-to-end tests, on the run's own PostgreSQL; see ../stack/stack.ts. */
import { describe, inject } from "vitest";
import { type Backend, backends, startStack as start, type Stack, type StackOptions } from "../stack/stack.ts";

export { until } from "../stack/program.ts";
export { type Backend, backends, newId, type Stack } from "../stack/stack.ts";

/** A reason to skip, or undefined. */
export function unavailable(backend: Backend): string | undefined {
  const reason = inject("redisUnavailable");
  return backend === "redis" && reason !== "" ? reason : undefined;
}

/** The same tests over every queue backend; one that is missing here is skipped by name. */
export function onEachBackend(title: string, tests: (backend: Backend) => void): void {
  for (const backend of backends) {
    const reason = unavailable(backend);
    const name = `${title} over ${backend}${reason === undefined ? "" : ` [skipped: ${reason}]`}`;
    describe.skipIf(reason !== undefined)(name, () => tests(backend));
  }
}

export function startStack(options: Omit<StackOptions, "postgresUrl">): Promise<Stack> {
  return start({ ...options, postgresUrl: inject("postgresUrl") });
}
