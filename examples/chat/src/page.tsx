/** One thread: its messages, and where the next one is written. */
import { Chat, useChat } from "@ai-sdk/react";
import { lastAssistantMessageIsCompleteWithApprovalResponses } from "ai";
import { type FormEvent, type KeyboardEvent, useEffect, useRef, useState } from "react";
import { MessageView } from "./message.tsx";
import { chatTransport, type Message, stopThread } from "./thread.ts";

const suggestions = [
  { title: "A simple answer", text: "Hello! What can you do?" },
  {
    title: "A task",
    text: "Read every Markdown file below notes, summarise each one, and write a report that lists the decisions they contain",
  },
];

export interface PageProps {
  readonly threadId: string;
  readonly messages: Message[];
  /** The thread is at work: the page takes up its stream. */
  readonly isActive: boolean;
}

export function Page({ threadId, messages, isActive }: PageProps) {
  const [isCareful, setCareful] = useState(true);
  const [draft, setDraft] = useState("");
  const careful = useRef(isCareful);
  careful.current = isCareful;
  const [own] = useState(
    () =>
      new Chat<Message>({
        id: threadId,
        messages,
        transport: chatTransport(() => careful.current),
        sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithApprovalResponses,
      }),
  );
  const chat = useChat({ chat: own });
  const isBusy = chat.status === "submitted" || chat.status === "streaming";
  const end = useRef<HTMLDivElement>(null);

  useEffect(() => {
    if (isActive) void own.resumeStream();
  }, [own, isActive]);
  useEffect(() => {
    if (chat.messages.length > 0) end.current?.scrollIntoView?.({ block: "end" });
  }, [chat.messages]);

  const send = (text: string) => {
    if (text.trim() === "" || isBusy) return;
    setDraft("");
    void chat.sendMessage({ text });
  };
  const onSubmit = (event: FormEvent) => {
    event.preventDefault();
    send(draft);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Enter" || event.shiftKey) return;
    event.preventDefault();
    send(draft);
  };

  return (
    <main>
      <header>
        <h1>Baton</h1>
        <label className="switch">
          <input type="checkbox" checked={isCareful} onChange={({ target }) => setCareful(target.checked)} />
          Ask me before files are listed or written
        </label>
        <a className="button" href={`#${crypto.randomUUID()}`}>
          New thread
        </a>
      </header>
      <ol role="log" aria-live="polite" aria-label="Messages" aria-busy={isBusy}>
        {chat.messages.map((message) => (
          <MessageView
            key={message.id}
            message={message}
            onWord={(id, approved) => void chat.addToolApprovalResponse({ id, approved })}
          />
        ))}
      </ol>
      {chat.messages.length === 0 && (
        <ul className="suggestions" aria-label="Suggestions">
          {suggestions.map(({ title, text }) => (
            <li key={title}>
              <button type="button" onClick={() => send(text)}>
                <strong>{title}</strong>
                <span>{text}</span>
              </button>
            </li>
          ))}
        </ul>
      )}
      {chat.error !== undefined && (
        <p role="alert" className="error">
          {chat.error.message}{" "}
          <button type="button" onClick={() => void own.resumeStream()}>
            Resume
          </button>
        </p>
      )}
      <div ref={end} />
      <form onSubmit={onSubmit}>
        <label htmlFor="draft">Message</label>
        <textarea
          id="draft"
          rows={2}
          value={draft}
          placeholder="Ask something, or hand over work"
          onChange={({ target }) => setDraft(target.value)}
          onKeyDown={onKeyDown}
        />
        {isBusy ? (
          <button type="button" className="stop" onClick={() => void stopThread(threadId)}>
            Stop
          </button>
        ) : (
          <button type="submit" className="primary" disabled={draft.trim() === ""}>
            Send
          </button>
        )}
      </form>
    </main>
  );
}
