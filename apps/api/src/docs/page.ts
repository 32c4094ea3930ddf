/**
 * The reference as one HTML page, from the OpenAPI document.
 *
 * 1. No script, nothing loaded: it reads the same without a network.
 * 2. Everything that comes from the document is escaped.
 */
import { createHash } from "node:crypto";
import { pageStyle } from "./style.ts";

interface Schema {
  readonly [name: string]: unknown;
  readonly $ref?: string;
}
interface Media {
  readonly schema?: Schema;
  readonly example?: unknown;
}
interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required: boolean;
  readonly description?: string;
  readonly schema: Schema;
}
interface Operation {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly summary: string;
  readonly description?: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly required: boolean; readonly content: Readonly<Record<string, Media>> };
  readonly responses: Readonly<
    Record<string, { readonly description: string; readonly content?: Readonly<Record<string, Media>> }>
  >;
}
interface Document {
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly tags: readonly { readonly name: string; readonly description: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

const styleHash = createHash("sha256").update(pageStyle).digest("base64");
export const docsHeaders = {
  "content-security-policy": `default-src 'none'; style-src 'sha256-${styleHash}'; frame-ancestors 'none'`,
  "cache-control": "no-cache",
};

const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
/** Escaped, with `code` between back-ticks. */
const prose = (text: string): string => escaped(text).replaceAll(/`([^`]+)`/g, "<code>$1</code>");
const block = (value: unknown): string =>
  `<pre><code>${escaped(typeof value === "string" ? value : JSON.stringify(value, undefined, 2))}</code></pre>`;

const nameOf = (ref: string): string => ref.split("/").at(-1) ?? ref;

function schemaBlock(schema: Schema): string {
  if (schema.$ref !== undefined) {
    const name = nameOf(schema.$ref);
    return `<p>Schema: <a href="#schema-${name}">${name}</a></p>`;
  }
  return `<details class="schema"><summary>Schema</summary>${block(schema)}</details>`;
}

function mediaBlock(type: string, media: Media): string {
  const example = media.example === undefined ? "" : block(media.example);
  const schema = media.schema === undefined || Object.keys(media.schema).length === 0 ? "" : schemaBlock(media.schema);
  return `<p class="soft"><code>${escaped(type)}</code></p>${example}${schema}`;
}

function parameterTable(parameters: readonly Parameter[]): string {
  const rows = parameters.map((parameter) => {
    const { enum: values, type, ...limits } = parameter.schema;
    const shape = Array.isArray(values)
      ? values.map((value) => `<code>${escaped(String(value))}</code>`).join(" ")
      : escaped(String(type ?? ""));
    const bounds = ["minimum", "maximum", "default"].flatMap((name) =>
      limits[name] === undefined ? [] : [`${name} ${String(limits[name])}`],
    );
    const about = [parameter.description === undefined ? "" : prose(parameter.description), escaped(bounds.join(", "))]
      .filter(Boolean)
      .join(" · ");
    return `<tr><td><code>${escaped(parameter.name)}</code></td><td>${parameter.in}${parameter.required ? ", required" : ""}</td><td>${shape}</td><td>${about}</td></tr>`;
  });
  return `<h3>Parameters</h3><div class="scroll"><table><tr><th>Name</th><th>Where</th><th>Type</th><th></th></tr>${rows.join("")}</table></div>`;
}

function responseBlock([status, response]: [string, Operation["responses"][string]]): string {
  const content = Object.entries(response.content ?? {}).filter(([type]) => type !== "application/problem+json");
  return `<h3>${status}</h3><p>${prose(response.description)}</p>${content.map(([type, media]) => mediaBlock(type, media)).join("")}`;
}

function operationBlock(path: string, method: string, operation: Operation): string {
  const verb = method.toUpperCase();
  const body = Object.entries(operation.requestBody?.content ?? {});
  const all = Object.entries(operation.responses);
  const good = all.filter(([status]) => status < "400");
  const bad = all.filter(([status]) => status >= "400");
  const errors = bad
    .map(([status, { description }]) => `<tr><td>${status}</td><td>${prose(description)}</td></tr>`)
    .join("");
  return `<details class="route" id="${operation.operationId}"><summary><span class="method ${verb}">${verb}</span><span class="path">${escaped(path)}</span><span class="summary">${prose(operation.summary)}</span></summary><div class="inside">
<p>${prose(operation.description ?? "Needs no key.")}</p>
${operation.parameters === undefined ? "" : parameterTable(operation.parameters)}
${body.length === 0 ? "" : `<h3>Body${operation.requestBody?.required ? "" : " (optional)"}</h3>${body.map(([type, media]) => mediaBlock(type, media)).join("")}`}
${good.map(responseBlock).join("")}
<h3>Errors</h3><div class="scroll"><table>${errors}</table></div></div></details>`;
}

export function docsPage(openApi: unknown): string {
  const document = openApi as Document;
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
  const sections = document.tags.map(({ name, description }) => {
    const own = operations.filter(({ operation }) => operation.tags.includes(name));
    const blocks = own.map(({ path, method, operation }) => operationBlock(path, method, operation)).join("\n");
    return {
      name,
      html: `<section><h2 id="${name}">${name}</h2><p class="soft">${prose(description)}</p>${blocks}</section>`,
    };
  });
  const schemas = Object.entries(document.components.schemas)
    .map(
      ([name, schema]) =>
        `<details class="route" id="schema-${name}"><summary><span class="path">${name}</span></summary><div class="inside">${block(schema)}</div></details>`,
    )
    .join("\n");
  const links = operations.map(
    ({ path, method, operation }) =>
      `<li><a href="#${operation.operationId}"><span class="method ${method.toUpperCase()}">${method.toUpperCase()}</span> <span class="path">${escaped(path)}</span></a></li>`,
  );
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escaped(document.info.title)} API</title><style>${pageStyle}</style></head><body>
<header><h1>${escaped(document.info.title)} API</h1><p>${prose(document.info.description)} Version ${escaped(document.info.version)} · <a href="/openapi.json">openapi.json</a></p>
<p>Send an API key as <code>Authorization: Bearer &lt;key&gt;</code> or <code>X-API-Key: &lt;key&gt;</code>. Errors are <a href="#schema-Problem">problem+json</a> with a stable <code>code</code>.</p></header>
<nav aria-label="Routes"><ul>${links.join("")}</ul></nav>
<main>${sections.map(({ html }) => html).join("\n")}
<section><h2 id="schemas">schemas</h2><p class="soft">JSON Schema 2020-12.</p>${schemas}</section></main></body></html>`;
}
