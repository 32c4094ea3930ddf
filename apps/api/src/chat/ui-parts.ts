/**
 * The parts of an AI SDK UI message stream that Baton writes (ai 7, `ui-message-chunks`).
 *
 * 1. `reset-step` removes what the current step showed: an attempt that began again, or deltas that were lost.
 * 2. The end of the text is what PostgreSQL has; deltas only show it earlier.
 * 3. A call is told as far as it has come, each of its moments once.
 */
import type { EventSink } from "../live/event-stream.ts";

export const uiStreamHeaders = { "x-vercel-ai-ui-message-stream": "v1" };

type Part = { readonly type: string } & Readonly<Record<string, unknown>>;

/** A call of a tool as a reader is told of it. */
export interface ShownCall {
  readonly id: string;
  readonly tool: string;
  readonly input: unknown;
  readonly approval?: { readonly id: string; readonly approved?: boolean; readonly reason?: string | undefined };
  readonly outcome?:
    | { readonly ended: "output"; readonly output: unknown }
    | { readonly ended: "error"; readonly errorText: string }
    | { readonly ended: "denied" };
}

export class UiParts {
  readonly #sink: EventSink;
  #textNo = 0;
  #open = false;
  #shown = "";
  #inStep = false;
  readonly #told = new Set<string>();

  constructor(sink: EventSink) {
    this.#sink = sink;
  }

  async #send(part: Part): Promise<void> {
    await this.#sink.send(`data: ${JSON.stringify(part)}\n\n`);
  }

  /** `continues`: the reader's message goes on in the step in which it stopped. */
  async start(messageId: string, continues = false): Promise<void> {
    await this.#send({ type: "start", messageId });
    if (continues) this.#inStep = true;
    else await this.step();
  }

  /** What follows is a step of its own. */
  async step(): Promise<void> {
    await this.endText();
    if (this.#inStep) await this.#send({ type: "finish-step" });
    await this.#send({ type: "start-step" });
    this.#inStep = true;
    this.#shown = "";
  }

  async text(delta: string): Promise<void> {
    if (delta === "") return;
    if (!this.#open) {
      this.#textNo += 1;
      this.#open = true;
      await this.#send({ type: "text-start", id: `text-${this.#textNo}` });
    }
    this.#shown += delta;
    await this.#send({ type: "text-delta", id: `text-${this.#textNo}`, delta });
  }

  /** Takes back what this step showed. */
  async reset(): Promise<void> {
    if (this.#shown === "") return;
    this.#shown = "";
    this.#open = false;
    await this.#send({ type: "reset-step" });
  }

  /** Makes what is shown equal to `text`. */
  async settle(text: string): Promise<void> {
    if (!text.startsWith(this.#shown)) await this.reset();
    await this.text(text.slice(this.#shown.length));
  }

  async data(name: string, id: string, data: unknown): Promise<void> {
    await this.#send({ type: `data-${name}`, id, data });
  }

  /** `known`: the reader has the call already, and what was said to it. */
  async call({ id: toolCallId, tool: toolName, input, approval, outcome }: ShownCall, known = false): Promise<void> {
    await this.endText();
    const tell = async (moment: string, part: Part) => {
      if (this.#told.has(`${toolCallId} ${moment}`)) return;
      this.#told.add(`${toolCallId} ${moment}`);
      await this.#send(part);
    };
    if (!known) {
      await tell("input", { type: "tool-input-available", toolCallId, toolName, input, dynamic: true });
      if (approval !== undefined) {
        const { id: approvalId, approved, reason } = approval;
        await tell("request", { type: "tool-approval-request", approvalId, toolCallId });
        if (approved !== undefined)
          await tell("response", {
            type: "tool-approval-response",
            ...{ approvalId, approved },
            ...(reason !== undefined && { reason }),
          });
      }
    }
    if (outcome === undefined) return;
    await tell(
      "outcome",
      outcome.ended === "output"
        ? { type: "tool-output-available", toolCallId, output: outcome.output, dynamic: true }
        : outcome.ended === "error"
          ? { type: "tool-output-error", toolCallId, errorText: outcome.errorText, dynamic: true }
          : { type: "tool-output-denied", toolCallId },
    );
  }

  async finish(): Promise<void> {
    await this.endText();
    await this.#send({ type: "finish-step" });
    await this.#send({ type: "finish" });
    await this.#done();
  }

  async error(errorText: string): Promise<void> {
    await this.endText();
    await this.#send({ type: "error", errorText });
    await this.#done();
  }

  async abort(reason: string): Promise<void> {
    await this.endText();
    await this.#send({ type: "abort", reason });
    await this.#done();
  }

  /** What follows is a text part of its own. */
  async endText(): Promise<void> {
    if (this.#open) await this.#send({ type: "text-end", id: `text-${this.#textNo}` });
    this.#open = false;
  }

  async #done(): Promise<void> {
    await this.#sink.send("data: [DONE]\n\n");
  }
}
