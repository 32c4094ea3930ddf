/** What a chat message says, before anything is decided about it. */
import type { ChatBody } from "@baton/contracts";
import { BatonError } from "@baton/core";
import { checkAttachment } from "./attachments.ts";

const goalBytes = 100_000;

function refuse(detail: string): never {
  throw new BatonError("invalid-request", `The message's parts ${detail}.`, {
    problems: [{ pointer: "/message/parts", detail }],
  });
}

export interface Said {
  readonly text: string;
  /** Files by name, for the answer and for the plan's steps. */
  readonly input:
    | { readonly attachments: readonly { readonly name?: string; readonly mediaType: string; readonly url: string }[] }
    | undefined;
}

export type UserMessage = Extract<ChatBody["message"], { readonly role: "user" }>;

/** @throws BatonError invalid-request or attachment-refused */
export function said(message: UserMessage, attachments: ChatBody["attachments"], takesImages: boolean): Said {
  const texts = message.parts.flatMap((part) => (part.type === "text" ? [part.text] : []));
  const text = texts.join("\n").trim();
  if (text === "") refuse("contain no text; write the message into a part of type text");
  if (Buffer.byteLength(text) > goalBytes)
    refuse(`are longer than ${goalBytes} bytes of UTF-8; put longer material into files`);
  const files = message.parts.flatMap((part, index) => {
    if (part.type !== "file") return [];
    const { mediaType, url, filename: name } = part;
    return [checkAttachment({ mediaType, url, name }, `/message/parts/${index}`, takesImages)];
  });
  const attached = (attachments ?? []).map((each, index) =>
    checkAttachment({ ...each, name: each.name }, `/attachments/${index}`, takesImages),
  );
  const all = [...files, ...attached];
  return { text, input: all.length === 0 ? undefined : { attachments: all } };
}
