/** What the page asks of the api beside the stream itself. */
import { DefaultChatTransport, type UIMessage } from "ai";

interface Step {
  readonly index: string;
  readonly description: string;
  readonly status: string;
  readonly text?: string;
}

/** The state of a task, as `data-task` says it; of one that is long gone only its id. */
export interface TaskState {
  readonly taskId: string;
  readonly status?: string;
  readonly progress?: number;
  readonly steps?: readonly Step[];
  readonly lastError?: string;
}

export type Message = UIMessage<unknown, { task: TaskState }>;

export interface Thread {
  readonly messages: Message[];
  readonly active: boolean;
}

export async function loadThread(threadId: string): Promise<Thread> {
  const response = await fetch(`/api/chat/${encodeURIComponent(threadId)}/messages`);
  if (!response.ok) return { messages: [], active: false };
  return (await response.json()) as Thread;
}

/** A closed page cancels nothing: this does. */
export async function stopThread(threadId: string): Promise<void> {
  await fetch(`/api/chat/${encodeURIComponent(threadId)}/stop`, { method: "POST" });
}

/** The folder of this example, as `serve.ts` knows it: the workers of `npm run dev` may read it. */
declare const workspace: string;

/** One message a request, and an answer as a stream also where the message becomes a task. */
export function chatTransport(isCareful: () => boolean): DefaultChatTransport<Message> {
  return new DefaultChatTransport<Message>({
    api: "/api/chat",
    headers: { accept: "text/event-stream" },
    prepareSendMessagesRequest({ id, messages }) {
      const { id: messageId, role, parts } = messages.at(-1) as Message;
      const approvals = [{ tools: ["files.list", "artifact.*", "http.*"] }];
      return {
        body: { id, message: { id: messageId, role, parts }, workspace, ...(isCareful() && { approvals }) },
      };
    },
  });
}
