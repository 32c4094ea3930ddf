/**
 * The names that a source file declares, and the functions that it exports.
 *
 * Boundary: syntax only; which names are wrong is decided in `scan.ts`.
 * 1. Declared names are judged, used ones are not: a vendor's names are not ours to choose.
 */
import { type Node, parseSync, Visitor } from "oxc-parser";

export interface DeclaredNames {
  readonly declared: ReadonlySet<string>;
  /** Exported functions, and the methods of exported classes. */
  readonly exportedVerbs: ReadonlySet<string>;
}

export function readNames(file: string, source: string): DeclaredNames {
  const parsed = parseSync(file, source);
  const [error] = parsed.errors;
  if (error) throw new Error(`${file} does not parse: ${error.message}`);
  const declared = new Set<string>();
  const callables = new Map<string, readonly string[]>();
  const exported = new Set<string>();

  const declare = (node: Node | null | undefined) => {
    for (const name of boundNames(node)) declared.add(name);
  };
  const declareKey = (node: { key: Node; computed?: boolean }) => {
    if (!node.computed && node.key.type === "Identifier") declared.add(node.key.name);
  };
  const declareFunction = (node: { id?: Node | null; params: readonly unknown[] }) => {
    declare(node.id);
    for (const parameter of node.params) declare(parameter as Node);
  };

  new Visitor({
    VariableDeclarator(node) {
      declare(node.id);
      const isFunction = node.init?.type === "ArrowFunctionExpression" || node.init?.type === "FunctionExpression";
      if (isFunction && node.id.type === "Identifier") callables.set(node.id.name, [node.id.name]);
    },
    FunctionDeclaration(node) {
      declareFunction(node);
      if (node.id) callables.set(node.id.name, [node.id.name]);
    },
    FunctionExpression: declareFunction,
    ArrowFunctionExpression: (node) => declareFunction({ params: node.params }),
    ClassDeclaration(node) {
      declare(node.id);
      const methods = node.body.body.flatMap((member) =>
        member.type === "MethodDefinition" && member.key.type === "Identifier" ? [member.key.name] : [],
      );
      if (node.id) callables.set(node.id.name, methods);
    },
    MethodDefinition: declareKey,
    PropertyDefinition: declareKey,
    TSPropertySignature: declareKey,
    TSMethodSignature: declareKey,
    TSInterfaceDeclaration: (node) => declare(node.id),
    TSTypeAliasDeclaration: (node) => declare(node.id),
  }).visit(parsed.program);

  for (const { entries } of parsed.module.staticExports) {
    for (const entry of entries) if (entry.localName.name) exported.add(entry.localName.name);
  }
  const exportedVerbs = new Set([...exported].flatMap((name) => callables.get(name) ?? []));
  return { declared, exportedVerbs };
}

function boundNames(node: Node | null | undefined): string[] {
  switch (node?.type) {
    case "Identifier":
      return [node.name];
    case "ObjectPattern":
      return node.properties.flatMap((property) =>
        boundNames(property.type === "RestElement" ? property.argument : property.value),
      );
    case "ArrayPattern":
      return node.elements.flatMap((element) => boundNames(element));
    case "AssignmentPattern":
      return boundNames(node.left);
    case "RestElement":
      return boundNames(node.argument);
    default:
      return [];
  }
}

/** `cancelJobById`, `cancel_job`, `JOB-id` → cancel, job, by, id. */
export function splitWords(name: string): string[] {
  return name
    .replaceAll(/([a-z0-9])([A-Z])/g, "$1 $2")
    .replaceAll(/([A-Z]+)([A-Z][a-z])/g, "$1 $2")
    .split(/[^A-Za-z0-9]+/)
    .filter((word) => word !== "")
    .map((word) => word.toLowerCase());
}
