import type { ASTNode } from "@marcbachmann/cel-js";
import type { ExpressionProblem } from "./failure.ts";
import { positionAt } from "./failure.ts";
import { callableNames, loopMethods, mapVariables, scopeVariables } from "./language.ts";

/** A step named in an expression, and where. */
export interface StepReference {
  readonly step: string;
  readonly offset: number;
}

/** What an expression says, before anything is known about the plan it stands in. */
export interface Inspection {
  readonly problems: readonly ExpressionProblem[];
  readonly references: readonly StepReference[];
  /** Uses of `item` and `index`, which only a map's step has. */
  readonly mapUses: readonly { readonly name: string; readonly offset: number }[];
  readonly hasLoop: boolean;
}

/** Fields of a step that an expression can see. */
export const stepFields: readonly string[] = ["output", "state"];

/** The library leaves these keys out of a map without saying so. */
const lostKeys: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"]);

/** `steps.my-step` is a subtraction; the names it is made of are unknown and say nothing about the reason. */
export function dashHint(source: string): string {
  return /\bsteps\.\w+-/.test(source) ? '; a step whose name has a "-" is written steps["my-step"]' : "";
}

interface Walk {
  readonly source: string;
  readonly problems: ExpressionProblem[];
  readonly references: StepReference[];
  readonly mapUses: { readonly name: string; readonly offset: number }[];
  hasLoop: boolean;
}

type Bound = ReadonlySet<string>;

function refuse(walk: Walk, node: ASTNode, message: string): void {
  walk.problems.push({ kind: "not-allowed", message, ...positionAt(walk.source, node.pos) });
}

function isSteps(node: ASTNode, bound: Bound): boolean {
  return node.op === "id" && node.args === "steps" && !bound.has("steps");
}

function literalText(node: ASTNode): string | undefined {
  return node.op === "value" && typeof node.args === "string" ? node.args : undefined;
}

/** The literal key of `a.key` and `a["key"]`; undefined when the key is computed. */
function literalKey(node: ASTNode): string | undefined {
  if (node.op === ".") return node.args[1];
  return node.op === "[]" ? literalText(node.args[1]) : undefined;
}

function isStep(node: ASTNode, bound: Bound): boolean {
  return (node.op === "." || node.op === "[]") && isSteps(node.args[0], bound);
}

function visitAccess(walk: Walk, node: ASTNode & { op: "." | "[]" }, bound: Bound): void {
  const [left, right] = node.args;
  const key = literalKey(node);
  if (isSteps(left, bound)) {
    if (key !== undefined) walk.references.push({ step: key, offset: node.pos });
    else refuse(walk, node, 'name the step literally, as in steps.scan or steps["my-step"]');
    return;
  }
  if (isStep(left, bound) && (key === undefined || !stepFields.includes(key))) {
    refuse(walk, node, `a step has the fields ${stepFields.join(" and ")}, as in steps.scan.output.files`);
  }
  visit(walk, left, bound);
  if (typeof right !== "string") visit(walk, right, bound);
}

function visitName(walk: Walk, node: ASTNode & { op: "id" }, bound: Bound): void {
  const name = node.args;
  if (bound.has(name)) return;
  if (name === "steps") {
    refuse(walk, node, 'steps stands before the name of a step, as in steps.scan or steps["my-step"]');
  } else if (mapVariables.has(name)) {
    walk.mapUses.push({ name, offset: node.pos });
  } else if (!scopeVariables.has(name)) {
    refuse(
      walk,
      node,
      `${name} is not known here; there are steps, input, goal and, inside a map, item and index${dashHint(walk.source)}`,
    );
  }
}

function visitCall(walk: Walk, node: ASTNode & { op: "call" | "rcall" }, bound: Bound): void {
  const name = node.args[0];
  if (!callableNames.has(name)) {
    refuse(walk, node, `${name}() is not available; there are ${[...callableNames].join(", ")}`);
    return;
  }
  if (node.op === "call") {
    for (const argument of node.args[1]) visit(walk, argument, bound);
    return;
  }
  const [, receiver, given] = node.args;
  visit(walk, receiver, bound);
  const variable = given[0];
  if (!loopMethods.has(name) || variable?.op !== "id") {
    for (const argument of given) visit(walk, argument, bound);
    return;
  }
  walk.hasLoop = true;
  if (scopeVariables.has(variable.args))
    refuse(walk, variable, `call the loop variable something else than ${variable.args}`);
  const inner = new Set([...bound, variable.args]);
  for (const argument of given.slice(1)) visit(walk, argument, inner);
}

function visitMapLiteral(walk: Walk, node: ASTNode & { op: "map" }, bound: Bound): void {
  for (const [key, value] of node.args) {
    const text = literalText(key);
    if (text === undefined) refuse(walk, key, "the keys of a map are literal texts");
    else if (lostKeys.has(text)) refuse(walk, key, `a map cannot have the key "${text}"`);
    visit(walk, value, bound);
  }
}

/** The parser bounds the number of nodes, and so this recursion. */
function visit(walk: Walk, node: ASTNode, bound: Bound): void {
  switch (node.op) {
    case "value":
      if (typeof node.args === "object" && node.args !== null) {
        refuse(walk, node, "bytes and unsigned numbers have no form in JSON; write a text or a number");
      }
      break;
    case "id":
      visitName(walk, node, bound);
      break;
    case ".":
    case "[]":
      visitAccess(walk, node, bound);
      break;
    case "call":
    case "rcall":
      visitCall(walk, node, bound);
      break;
    case "map":
      visitMapLiteral(walk, node, bound);
      break;
    case "!_":
    case "-_":
      visit(walk, node.args, bound);
      break;
    default:
      for (const operand of node.args) if (typeof operand !== "string") visit(walk, operand, bound);
  }
}

export function inspect(source: string, ast: ASTNode): Inspection {
  const walk: Walk = { source, problems: [], references: [], mapUses: [], hasLoop: false };
  visit(walk, ast, new Set());
  return walk;
}
