/**
 * The end of every test run: what was skipped and why, then one line with the counts.
 *
 * Boundary: it only reads what vitest reports; it decides no exit code.
 * 1. The last line is `N passed, N failed, N skipped`, alone, because continuous integration reads it.
 * 2. What could not be counted as a test counts as failed: a file that does not load, a hook that throws, an
 *    unhandled rejection, a test that an interruption left without a result.
 * 3. No suite is skipped silently: each is named, with the reason that its skip carries.
 */
import type { Reporter, SerializedError, TestModule, TestSuite } from "vitest/node";

interface RunCounts {
  passed: number;
  failed: number;
  skipped: number;
}

interface Skip {
  name: string;
  reason: string;
  test_count: number;
}

export class ClosingLineReporter implements Reporter {
  readonly #write: (text: string) => void;

  constructor(write: (text: string) => void = (text) => void process.stdout.write(text)) {
    this.#write = write;
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    const skips = listSkips(modules);
    if (skips.length > 0) {
      this.#write("\nSkipped on this machine:\n");
      for (const skip of skips) {
        const tests = skip.test_count === 1 ? "1 test" : `${skip.test_count} tests`;
        this.#write(`  - ${skip.name} (${tests}): ${skip.reason}\n`);
      }
    }
    const { passed, failed, skipped } = countRun(modules, unhandledErrors.length);
    // Coverage tables and vitest's own summary are printed between this hook and the exit.
    process.once("exit", () => this.#write(`\n${passed} passed, ${failed} failed, ${skipped} skipped\n`));
  }
}

function countRun(modules: readonly TestModule[], unhandledErrorCount: number): RunCounts {
  const counts: RunCounts = { passed: 0, failed: unhandledErrorCount, skipped: 0 };
  for (const module of modules) {
    if (module.errors().length > 0) counts.failed += 1;
    for (const suite of module.children.allSuites()) {
      if (suite.errors().length > 0) counts.failed += 1;
    }
    for (const test of module.children.allTests()) {
      const { state } = test.result();
      if (state === "pending") counts.failed += 1;
      else counts[state] += 1;
    }
  }
  return counts;
}

function listSkips(modules: readonly TestModule[]): Skip[] {
  const skips = new Map<string, Skip>();
  for (const module of modules) {
    for (const test of module.children.allTests("skipped")) {
      const suite = outermostSkippedSuite(test.parent);
      const name = `${module.relativeModuleId} > ${suite?.fullName ?? test.fullName}`;
      const result = test.result();
      const note = result.state === "skipped" ? result.note : undefined;
      const reason = note ?? reasonInName(suite?.name ?? "") ?? reasonInName(test.name) ?? reasonInHooks(test.parent);
      const key = `${name}\n${reason}`;
      const skip = skips.get(key) ?? { name, reason, test_count: 0 };
      skip.test_count += 1;
      skips.set(key, skip);
    }
  }
  return [...skips.values()];
}

function outermostSkippedSuite(parent: TestSuite | TestModule): TestSuite | undefined {
  let found: TestSuite | undefined;
  for (let at = parent; at.type === "suite"; at = at.parent) {
    if (at.options.mode === "skip") found = at;
  }
  return found;
}

/** A suite that is skipped before it starts has no note: its reason stands in its name, as `… [skipped: reason]`. */
function reasonInName(name: string): string | undefined {
  return /\[skipped: (?<reason>[^\]]+)\]/.exec(name)?.groups?.["reason"];
}

function reasonInHooks(parent: TestSuite | TestModule): string {
  for (let at = parent; at.type === "suite"; at = at.parent) {
    if (at.errors().length > 0) return `a hook of "${at.name}" failed`;
  }
  return "no reason given";
}
