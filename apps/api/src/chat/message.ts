/** What a chat message says, before anything is decided about it. */
import type { ChatBody } from "@baton/contracts";
import { BatonError } from "@baton/core";

const goalBytes = 100_000;

function refuse(detail: string): never {
  throw new BatonError("invalid-request", `The message's parts ${detail}.`, {
    problems: [{ pointer: "/message/parts", detail }],
  });
}

export interface Said {
  readonly text: string;
  /** Files by name, for the plan's steps. */
  readonly input:
    | { readonly attachments: readonly { readonly name?: string; readonly mediaType: string; readonly url: string }[] }
    | undefined;
}

export function said(body: ChatBody): Said {
  const texts = body.message.parts.flatMap((part) => (part.type === "text" ? [part.text] : []));
  const text = texts.join("\n").trim();
  if (text === "") refuse("contain no text; write the message into a part of type text");
  if (Buffer.byteLength(text) > goalBytes)
    refuse(`are longer than ${goalBytes} bytes of UTF-8; put longer material into files`);
  const files = body.message.parts.flatMap((part) =>
    part.type === "file"
      ? [{ mediaType: part.mediaType, url: part.url, ...(part.filename === undefined ? {} : { name: part.filename }) }]
      : [],
  );
  const attached = (body.attachments ?? []).map(({ name, ...rest }) => ({
    ...rest,
    ...(name === undefined ? {} : { name }),
  }));
  const attachments = [...files, ...attached];
  return { text, input: attachments.length === 0 ? undefined : { attachments } };
}
