/**
 * Who may see Bull Board.
 *
 * Purpose: the board has no authentication of its own; a browser gets in with an API key typed into a
 * small form, a program with the usual headers or HTTP Basic (any name, the key as password).
 * Boundary: knows the board only as something that answers requests.
 *
 * 1. The cookie is signed and HttpOnly, names the key by its hash, never holds it, and lives 8 hours;
 *    every request looks the key up again, so a revoked key is out at once.
 * 2. SameSite=Strict and a same-origin check keep other sites from acting through it.
 * 3. Without the scope admin nothing but GET and HEAD reaches the board, whatever the board would allow.
 * 4. The queues carry ids of every tenant: only keys of the installation's own tenant get in.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { BatonError, defaultTenantId } from "@baton/core";
import { Hono } from "hono";
import type { Context } from "hono";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import { hashApiKey, mayUse, presentedKey, principalFrom } from "../access/api-key.ts";
import type { Principal } from "../access/api-key.ts";
import type { ApiDeps, Boards } from "../deps.ts";
import { problemOf, problemResponse } from "../request/problem.ts";
import { loginPage, pageHeaders } from "./login-page.ts";

export const boardPath = "/admin/queues";
const loginPath = "/admin/login";
const cookieName = "baton_board";
const lifeMs = 8 * 3_600_000;

/** Bull Board's page has inline data and styles; its scripts are files of its own. */
const boardHeaders = {
  "content-security-policy":
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; frame-ancestors 'none'",
};

function seal(secret: Uint8Array, keyHash: string, expiresAt: number): string {
  const payload = `${keyHash}.${expiresAt}`;
  return `${payload}.${createHmac("sha256", secret).update(`board\n${payload}`).digest("base64url")}`;
}

/** The key's hash, when the cookie is ours and not too old. */
function unseal(secret: Uint8Array, cookie: string | undefined): string | undefined {
  const [keyHash = "", expiresAt = "", tag = ""] = (cookie ?? "").split(".");
  const expected = Buffer.from(seal(secret, keyHash, Number(expiresAt)).split(".")[2] ?? "");
  const given = Buffer.from(tag);
  const isOurs = given.length === expected.length && timingSafeEqual(given, expected);
  return isOurs && Number(expiresAt) > Date.now() ? keyHash : undefined;
}

function basicPassword(headers: Headers): string | undefined {
  const match = /^basic\s+(\S+)$/i.exec(headers.get("authorization") ?? "");
  if (match?.[1] === undefined) return undefined;
  const text = Buffer.from(match[1], "base64").toString();
  return text.slice(text.indexOf(":") + 1);
}

const isSameOrigin = (context: Context): boolean => {
  const site = context.req.header("sec-fetch-site");
  if (site !== undefined) return site === "same-origin" || site === "none";
  const origin = context.req.header("origin");
  return origin === undefined || new URL(origin).host === new URL(context.req.url).host;
};

async function boardPrincipal(deps: ApiDeps, hash: string | undefined): Promise<Principal | undefined> {
  const row = hash === undefined ? undefined : await deps.store.findApiKey(hash);
  if (row === undefined || row.tenantId !== defaultTenantId) return undefined;
  const principal = principalFrom(row);
  return mayUse(principal, "read") ? principal : undefined;
}

async function authorized(deps: ApiDeps, context: Context): Promise<Principal | undefined> {
  const key = presentedKey(context.req.raw.headers) ?? basicPassword(context.req.raw.headers);
  const hash = key === undefined ? unseal(deps.secret, getCookie(context, cookieName)) : hashApiKey(key);
  return boardPrincipal(deps, hash);
}

async function logIn(deps: ApiDeps, context: Context): Promise<Response> {
  const form = await context.req.parseBody();
  const key = typeof form["key"] === "string" ? form["key"].trim() : "";
  const hash = hashApiKey(key);
  if (!isSameOrigin(context) || (await boardPrincipal(deps, hash)) === undefined) {
    return context.html(loginPage("This key is not known, or may not read."), 401, pageHeaders);
  }
  const expiresAt = Date.now() + lifeMs;
  setCookie(context, cookieName, seal(deps.secret, hash, expiresAt), {
    httpOnly: true,
    sameSite: "Strict",
    secure: new URL(context.req.url).protocol === "https:",
    path: "/admin",
    maxAge: lifeMs / 1_000,
  });
  return context.redirect(boardPath, 303);
}

async function show(deps: ApiDeps, boards: Boards, context: Context): Promise<Response> {
  const principal = await authorized(deps, context);
  const refuse = (error: BatonError) => problemResponse(problemOf(error, deps.newId()));
  if (principal === undefined) {
    const isPage = context.req.method === "GET" && (context.req.header("accept") ?? "").includes("text/html");
    if (isPage) return context.redirect(loginPath, 303);
    return refuse(
      new BatonError(
        "unauthenticated",
        `Log in at ${loginPath}, or send an API key of this installation with the scope "read".`,
      ),
    );
  }
  const isAdmin = mayUse(principal, "admin");
  if (!["GET", "HEAD"].includes(context.req.method)) {
    if (!isAdmin) return refuse(new BatonError("forbidden", 'Changing queues needs a key with the scope "admin".'));
    if (!isSameOrigin(context)) return refuse(new BatonError("forbidden", "Another site may not change queues."));
  }
  const answer = await (isAdmin ? boards.full : boards.readOnly).fetch(context.req.raw);
  const response = new Response(answer.body, answer);
  for (const [name, value] of Object.entries(boardHeaders)) response.headers.set(name, value);
  return response;
}

export function boardAsHono(deps: ApiDeps, boards: Boards): Hono {
  const app = new Hono();
  app.get(loginPath, (context) => context.html(loginPage(undefined), 200, pageHeaders));
  app.post(loginPath, async (context) => {
    // Without a length the form could be of any size.
    if (!(Number(context.req.header("content-length")) <= 4_096)) return context.body(null, 413);
    return logIn(deps, context);
  });
  app.post("/admin/logout", (context) => {
    deleteCookie(context, cookieName, { path: "/admin" });
    return context.redirect(loginPath, 303);
  });
  app.all(boardPath, (context) => show(deps, boards, context));
  app.all(`${boardPath}/*`, (context) => show(deps, boards, context));
  return app;
}
