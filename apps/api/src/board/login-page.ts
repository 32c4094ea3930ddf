/** The form that asks for a key before the board is shown. */
import { createHash } from "node:crypto";
import { pageStyle } from "../docs/style.ts";

const styleHash = createHash("sha256").update(pageStyle).digest("base64");

export const pageHeaders = {
  "content-security-policy": `default-src 'none'; style-src 'sha256-${styleHash}'; form-action 'self'; frame-ancestors 'none'`,
};

export function loginPage(problem: string | undefined): string {
  const said = problem === undefined ? "" : `<p class="problem" role="alert">${problem}</p>`;
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Baton queues</title><style>${pageStyle}</style></head>
<body class="narrow"><h1>Baton queues</h1>${said}
<form method="post" action="/admin/login"><label for="key">API key</label>
<input id="key" name="key" type="password" autocomplete="current-password" required autofocus>
<button type="submit">Show the queues</button></form>
<p>Read-only, unless the key has the scope <code>admin</code>.</p></body></html>`;
}
