/** Opens the thread that the address names, or a new one. */
import { createRoot } from "react-dom/client";
import { Page } from "./page.tsx";
import { loadThread } from "./thread.ts";

const place = document.getElementById("page");
if (place === null) throw new Error("The page has no place to be in.");
const root = createRoot(place);

async function open(): Promise<void> {
  const threadId = location.hash.slice(1) || crypto.randomUUID();
  if (location.hash === "") history.replaceState(undefined, "", `#${threadId}`);
  const thread = await loadThread(threadId);
  root.render(<Page key={threadId} threadId={threadId} messages={thread.messages} isActive={thread.active} />);
}

addEventListener("hashchange", () => void open());
void open();
