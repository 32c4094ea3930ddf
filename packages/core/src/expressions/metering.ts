import type { ASTNode } from "@marcbachmann/cel-js";
import { chargeDeep, meter, shallowCost } from "./meter.ts";

/**
 * A node as the library's evaluator sees it after type checking. These fields are not part of its typed
 * surface; the version is pinned, and the tests prove that every loop and every linear operator is metered.
 */
interface CheckedNode {
  readonly op: string;
  readonly args: unknown;
  readonly meta: { readonly alternate?: CheckedNode };
  handle?: (...args: unknown[]) => unknown;
}

interface Loop {
  readonly iterable: CheckedNode;
  readonly step: CheckedNode;
  condition?: (accumulated: unknown) => boolean;
}

function isNode(value: unknown): value is CheckedNode {
  return typeof value === "object" && value !== null && "op" in value;
}

function isScalar(value: unknown): boolean {
  return typeof value !== "object" || value === null;
}

function chargeComparison(left: unknown, right: unknown): void {
  if (isScalar(left) || isScalar(right)) {
    meter.charge(shallowCost(left));
  } else {
    chargeDeep(left);
    chargeDeep(right);
  }
}

function chargeMembership(member: unknown, list: unknown): void {
  if (isScalar(member)) meter.charge(shallowCost(list));
  else chargeDeep(list);
}

function chargeOperands(...operands: readonly unknown[]): void {
  for (const operand of operands) meter.charge(shallowCost(operand));
}

const chargeOf: Readonly<Record<string, (...operands: unknown[]) => void>> = {
  "==": chargeComparison,
  "!=": chargeComparison,
  "in": chargeMembership,
  "+": chargeOperands,
  "call": (operands) => chargeOperands(...(operands as unknown[])),
  "rcall": (operands) => chargeOperands(...(operands as unknown[])),
};

function childrenOf(node: CheckedNode): readonly unknown[] {
  if (node.meta.alternate !== undefined) return [node.meta.alternate];
  if (node.op === "comprehension") return [(node.args as Loop).iterable, (node.args as Loop).step];
  return Array.isArray(node.args) ? node.args.flat(2) : [node.args];
}

/** How many nodes one round of a loop evaluates at most, loops inside it counting for themselves. */
function weightOf(step: CheckedNode): number {
  let weight = 0;
  const open: unknown[] = [step];
  while (open.length > 0) {
    const node = open.pop();
    if (!isNode(node)) continue;
    weight += 1;
    open.push(...childrenOf(node));
  }
  return weight;
}

function meterLoop(loop: Loop): void {
  const weight = weightOf(loop.step);
  const condition = loop.condition;
  loop.condition = (accumulated) => {
    meter.charge(weight);
    return condition === undefined || condition(accumulated);
  };
}

/** Makes every loop round and every operator that is linear in its operands pay. `ast` is type-checked. */
export function meterEvaluation(ast: ASTNode): void {
  const seen = new Set<CheckedNode>();
  const open: unknown[] = [ast];
  while (open.length > 0) {
    const node = open.pop();
    if (!isNode(node) || seen.has(node)) continue;
    seen.add(node);
    if (node.op === "comprehension") meterLoop(node.args as Loop);
    const charge = chargeOf[node.op];
    const evaluate = node.handle;
    if (charge !== undefined && evaluate !== undefined) {
      node.handle = (...args) => {
        charge(...(node.op.endsWith("call") ? args.slice(0, 1) : args.slice(0, 2)));
        return evaluate(...args);
      };
    }
    open.push(...childrenOf(node));
  }
}
