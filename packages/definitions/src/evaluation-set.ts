/**
 * A file of labelled cases: chat messages with whether they need a plan, and goals with what their plans must have.
 *
 * Purpose: cases that users can write themselves, each problem with file and line. Boundary: scores nothing.
 *
 * 1. Ids are unique among the messages, and among the goals, of all files that are read together.
 * 2. A file without a case is refused, and so is one that is larger than people write.
 */
import { BatonError } from "@baton/core";
import { z } from "zod";
import { problemsIn, readYaml } from "./yaml-data.ts";

const name = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9._-]{0,79}$/,
    "small letters, digits, - . and _, at most 80, beginning with a letter or digit",
  );
const text = z.string().min(1).max(100_000);
/** A step is meant that mentions one of them, in any case. */
const words = z.array(z.string().min(1).max(200)).min(1);
const tool = z.string().min(1).max(120);

const common = {
  id: name,
  category: name,
  language: z.string().min(2).max(20).optional(),
  held_out: z.boolean().default(false),
};

const expectations = z
  .strictObject({
    steps: z.tuple([z.int().min(0), z.int().min(1)]).optional(),
    uses: z
      .array(z.union([tool, z.array(tool).min(1)], { error: "a tool, or a list of tools of which one is enough" }))
      .min(1)
      .optional(),
    avoids: z.array(tool).min(1).optional(),
    each_item: z.literal(true).optional(),
    deliverables: z.array(words).min(1).optional(),
    parallel: z.array(z.array(words).min(2)).min(1).optional(),
  })
  .refine(({ steps }) => steps === undefined || steps[0] <= steps[1], {
    path: ["steps"],
    message: "the least number of steps first, then the most",
  });

const labelledMessage = z.strictObject({ ...common, message: text, orchestrate: z.boolean() });
const labelledGoal = z.strictObject({
  ...common,
  goal: text,
  input: z.unknown().optional(),
  tools: z.array(tool).max(500).optional(),
  expect: expectations,
});

const evaluationSet = z
  .strictObject(
    {
      messages: z.array(labelledMessage).max(10_000).default([]),
      goals: z.array(labelledGoal).max(10_000).default([]),
    },
    { error: ({ code }) => (code === "invalid_type" ? "the file holds `messages`, `goals` or both" : undefined) },
  )
  .refine(
    ({ messages, goals }) => messages.length + goals.length > 0,
    "there is no case in it: name messages or goals",
  );

export type LabelledMessage = z.infer<typeof labelledMessage>;
export type LabelledGoal = z.infer<typeof labelledGoal>;
export type EvaluationSet = z.infer<typeof evaluationSet>;

export const maxEvaluationBytes = 4_000_000;

/** @throws BatonError `invalid-request`, one line per problem, at most 20 */
export function parseEvaluationSets(files: readonly { readonly file: string; readonly text: string }[]): EvaluationSet {
  const seen = new Map<string, string>();
  const sets = files.map(({ file, text: content }) => {
    const bytes = Buffer.byteLength(content);
    if (bytes > maxEvaluationBytes)
      throw refused([`${file}:1: the file has ${bytes} bytes; the limit is ${maxEvaluationBytes}.`]);
    const yaml = readYaml(file, content, 0, refused);
    const parsed = evaluationSet.safeParse(yaml.data);
    if (!parsed.success) throw refused(parsed.error.issues.flatMap((issue) => problemsIn(file, yaml, issue)));
    const twice = (["messages", "goals"] as const).flatMap((list) =>
      parsed.data[list].flatMap(({ id }, index) => {
        const place = `${file}:${yaml.lineOf([list, index, "id"])}`;
        const before = seen.get(`${list} ${id}`);
        seen.set(`${list} ${id}`, before ?? place);
        return before === undefined ? [] : [`${place}: ${list}.${index}.id: "${id}" stands at ${before} already.`];
      }),
    );
    if (twice.length > 0) throw refused(twice);
    return parsed.data;
  });
  return { messages: sets.flatMap(({ messages }) => messages), goals: sets.flatMap(({ goals }) => goals) };
}

const shownProblems = 20;

function refused(problems: readonly string[]): BatonError {
  const more = problems.length - shownProblems;
  const shown = more > 0 ? [...problems.slice(0, shownProblems), `and ${more} more`] : problems;
  return new BatonError("invalid-request", shown.join("\n"));
}
