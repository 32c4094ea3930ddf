/** Folders of Markdown files with decisions planted in them. */
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Workspace {
  readonly folder: string;
  readonly decisions: readonly string[];
  remove(): Promise<void>;
}

const subjects = ["queue", "ledger", "gateway", "archive", "scheduler", "registry", "planner", "mailer"];

/** `count` files, every other one with a decision in it. */
export async function plantWorkspace(count: number): Promise<Workspace> {
  const folder = await mkdtemp(join(tmpdir(), "baton-workspace-"));
  const decisions: string[] = [];
  await mkdir(join(folder, "notes"));
  for (let index = 0; index < count; index++) {
    const subject = `${subjects[index % subjects.length]} ${index}`;
    const lines = [
      `# Notes on the ${subject}`,
      "",
      `The ${subject} receives requests all day. Its operators watch it on a dashboard.`,
      `Most of the load of the ${subject} comes in the morning.`,
    ];
    if (index % 2 === 0) {
      const decision = `We decided to run the ${subject} on PostgreSQL.`;
      decisions.push(decision);
      lines.push("", "## Decision", "", decision);
    }
    await writeFile(
      join(folder, index % 3 === 0 ? "notes" : ".", `file-${String(index).padStart(3, "0")}.md`),
      `${lines.join("\n")}\n`,
    );
  }
  await chmod(folder, 0o755);
  return { folder, decisions, remove: () => rm(folder, { recursive: true, force: true }) };
}

export const demoGoal = (folder: string): string =>
  `Read every Markdown file below ${folder}, summarise each one, and write a report that lists the decisions they contain`;
