/**
 * The parts of an AI SDK UI message stream that Baton writes (ai 7, `ui-message-chunks`).
 *
 * 1. `reset-step` removes what the current step showed: an attempt that began again, or deltas that were lost.
 * 2. The end of the text is what PostgreSQL has; deltas only show it earlier.
 */
import type { EventSink } from "../live/event-stream.ts";

export const uiStreamHeaders = { "x-vercel-ai-ui-message-stream": "v1" };

type Part = { readonly type: string } & Readonly<Record<string, unknown>>;

export class UiParts {
  readonly #sink: EventSink;
  #textNo = 0;
  #open = false;
  #shown = "";

  constructor(sink: EventSink) {
    this.#sink = sink;
  }

  async #send(part: Part): Promise<void> {
    await this.#sink.send(`data: ${JSON.stringify(part)}\n\n`);
  }

  async start(messageId: string): Promise<void> {
    await this.#send({ type: "start", messageId });
    await this.#send({ type: "start-step" });
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
