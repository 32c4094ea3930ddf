/**
 * One server: what is asked of it, and what its answers mean.
 *
 * 1. A call that shows no progress for the server's idle time is given up, and the server is told; progress keeps it, until
 *    the attempt's own end aborts it.
 * 2. A failure says whether the server may have acted: a refusal of the arguments is one of a call that did nothing, a
 *    connection that broke leaves it open. An answer that says "error" is the server's word that the call failed.
 * 3. No error carries a cause: an SDK's error quotes what a server sent.
 */
import { BatonError, RetryAfter, TerminalError } from "@baton/core";
import type { ToolCall, ToolEffect } from "@baton/core/ports";
import { ProtocolError, SdkError, SdkErrorCode, SdkHttpError } from "@modelcontextprotocol/client";
import { type ConnectionParts, type Live, McpConnection, reasonOf } from "./connection.ts";
import { hashOf, type ListedTool, type OfferedTool } from "./listing.ts";
import { type CallResult, errorTextOf, type McpOutput, outputOf } from "./output.ts";
import type { McpServerSettings } from "./settings.ts";

const progressEveryMs = 250;
const pingMs = 5_000;
/** Of JSON-RPC, and of the protocol: the request was not understood, or its arguments are wrong. */
const refusedCodes: ReadonlySet<number> = new Set([-32700, -32600, -32601, -32602]);

type CalledTool = Pick<ListedTool, "name" | "inputSchema" | "effect">;

export class McpServer {
  readonly settings: McpServerSettings;
  readonly connection: McpConnection;
  /** Another list is to be expected under other settings. */
  readonly settingsHash: string;

  constructor(settings: McpServerSettings, parts: ConnectionParts) {
    this.settings = settings;
    this.connection = new McpConnection(settings, parts);
    this.settingsHash = hashOf(
      "url" in settings
        ? { url: settings.url, headers: settings.headers }
        : { command: settings.command, args: settings.args, env: settings.env, cwd: settings.cwd },
    );
  }

  /** Throws RetryAfter, or the abort reason. */
  async list(live: Live, signal: AbortSignal): Promise<readonly OfferedTool[]> {
    const { name, startTimeoutMs: timeout } = this.settings;
    try {
      const { tools } = await live.client.listTools(undefined, { signal, timeout, cacheMode: "refresh" });
      return tools as readonly OfferedTool[];
    } catch (error) {
      signal.throwIfAborted();
      const why = live.clean.text(live.ending ?? reasonOf(error)).slice(0, 500);
      await this.connection.drop(live, "it could not list its tools");
      const message = `The MCP server "${name}" could not list its tools: ${why}. Nothing else was asked of it.`;
      throw new RetryAfter(message, { delayMs: 1_000, code: "tool-failed" });
    }
  }

  async call(live: Live, tool: CalledTool, args: unknown, call: ToolCall): Promise<McpOutput> {
    const { name, idleTimeoutMs } = this.settings;
    const full = `${name}.${tool.name}`;
    let toldAt = 0;
    const onprogress = ({
      progress,
      total,
      message,
    }: {
      progress: number;
      total?: number | undefined;
      message?: string | undefined;
    }): void => {
      const now = performance.now();
      if (now - toldAt < progressEveryMs) return;
      toldAt = now;
      const share = total === undefined ? String(progress) : `${progress} of ${total}`;
      call.progress(message === undefined ? `${full}: ${share}` : `${full}: ${message} (${share})`);
    };
    // Without an output schema: the SDK would compile it, with the server's regular expressions, and take an answer that
    // breaks it for a refusal.
    const toolDefinition = { name: tool.name, inputSchema: { ...tool.inputSchema, type: "object" as const } };
    let result: CallResult & { readonly isError?: boolean | undefined };
    try {
      result = await live.client.callTool(
        {
          name: tool.name,
          arguments: argumentsOf(full, args),
          _meta: { "baton/idempotency-key": call.idempotencyKey },
        },
        { signal: call.signal, timeout: idleTimeoutMs, resetTimeoutOnProgress: true, onprogress, toolDefinition },
      );
    } catch (error) {
      call.signal.throwIfAborted();
      throw this.#failure(live, full, error);
    }
    this.connection.worked();
    if (result.isError === true) throw wordOfError(full, tool.effect, errorTextOf(result));
    return await outputOf(full, result, call);
  }

  #failure(live: Live, full: string, error: unknown): Error {
    if (error instanceof BatonError) return error;
    const said = live.clean.text(reasonOf(error)).slice(0, 1_000);
    if (error instanceof ProtocolError && refusedCodes.has(error.code)) {
      this.connection.worked();
      return failed(`"${full}" refused the call: ${said}`, false, "tool-input-invalid");
    }
    if (error instanceof ProtocolError) return failed(`"${full}" failed: ${said}`, true);
    if (error instanceof SdkHttpError) {
      void this.connection.drop(live, `it answered HTTP ${error.status}`);
      const isRefusal = error.status !== undefined && error.status >= 400 && error.status < 500;
      return failed(`The MCP server of "${full}" answered HTTP ${error.status}`, !isRefusal);
    }
    if (!(error instanceof SdkError)) {
      void this.connection.drop(live, "a request to it failed");
      return failed(`The call of "${full}" broke off: ${said}`, true);
    }
    switch (error.code) {
      case SdkErrorCode.RequestTimeout:
        void this.#endIfHung(live);
        return failed(`"${full}" gave no answer and showed no progress for ${this.settings.idleTimeoutMs} ms`, true);
      case SdkErrorCode.InvalidResult:
        return failed(`"${full}" answered what is no result of a tool`, true, "tool-output-invalid");
      default:
        void this.connection.drop(live, "the connection broke");
        return failed(`The MCP server of "${full}" ${live.ending ?? "broke the connection"} before it answered`, true);
    }
  }

  /** A server that does not even answer a ping is started anew for the next call. Never rejects. */
  async #endIfHung(live: Live): Promise<void> {
    try {
      await live.client.ping({ timeout: pingMs });
    } catch {
      await this.connection.drop(live, `it did not answer a ping within ${pingMs} ms`);
    }
  }
}

function failed(
  what: string,
  sent: boolean,
  code: "tool-failed" | "tool-input-invalid" | "tool-output-invalid" = "tool-failed",
): BatonError {
  return new BatonError(code, `${what.replace(/\.$/, "")}.`, { details: { sent } });
}

/** It was answered, so nothing is in doubt; and what may have consequences is not tried again unasked. */
function wordOfError(full: string, effect: ToolEffect, said: string): Error {
  const message = `"${full}" answered with an error: ${said}`.slice(0, 4_000).toWellFormed();
  if (effect === "write" || effect === "irreversible")
    return new TerminalError(message, { code: "tool-failed", sent: false });
  return new BatonError("tool-failed", message, { details: { sent: false } });
}

function argumentsOf(full: string, args: unknown): Record<string, unknown> {
  const given = args ?? {};
  if (typeof given === "object" && !Array.isArray(given)) return given as Record<string, unknown>;
  const detail = "must be an object whose fields are the tool's arguments";
  throw new BatonError("tool-input-invalid", `The arguments of tool "${full}" are not valid: ${detail}.`, {
    problems: [{ pointer: "", detail }],
    details: { sent: false },
  });
}
