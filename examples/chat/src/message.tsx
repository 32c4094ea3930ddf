/** A message, part by part. */
import type { DynamicToolUIPart } from "ai";
import type { Message, TaskState } from "./thread.ts";

interface MessageProps {
  readonly message: Message;
  /** What a person says to a call that waits. */
  readonly onWord: (approvalId: string, approved: boolean) => void;
}

export function MessageView({ message: { id, role, parts }, onWord }: MessageProps) {
  return (
    <li className={role} aria-label={role === "user" ? "You" : "Baton"}>
      {parts.map((part, place) => {
        const key = `${id} ${place}`;
        if (part.type === "text")
          return (
            <p key={key} className="text">
              {part.text}
            </p>
          );
        if (part.type === "data-task") return <TaskView key={key} task={part.data} />;
        if (part.type === "dynamic-tool") return <CallView key={key} call={part} onWord={onWord} />;
        return null;
      })}
    </li>
  );
}

function TaskView({ task }: { readonly task: TaskState }) {
  const { status = "gone", progress = 0, steps = [], lastError } = task;
  return (
    <section className="card" aria-label="Task">
      <h2>
        Task <span className={`state ${status}`}>{status}</span>
      </h2>
      <progress max={100} value={progress} aria-label="Progress">
        {progress} %
      </progress>
      <ol className="steps">
        {steps.map((step) => (
          <li key={step.index} className={step.status}>
            <span className="what">{step.description}</span>
            <span className={`state ${step.status}`}>{step.status}</span>
            {step.text !== undefined && <pre>{step.text}</pre>}
          </li>
        ))}
      </ol>
      {lastError !== undefined && <p className="error">{lastError}</p>}
    </section>
  );
}

const callStates: Partial<Record<DynamicToolUIPart["state"], string>> = {
  "input-available": "runs",
  "approval-requested": "waits for your word",
  "approval-responded": "answered",
  "output-available": "done",
  "output-error": "failed",
  "output-denied": "rejected",
};

function CallView({ call, onWord }: { readonly call: DynamicToolUIPart; readonly onWord: MessageProps["onWord"] }) {
  const { toolName, state, input, approval } = call;
  const asks = state === "approval-requested" && approval !== undefined;
  return (
    <section className={asks ? "card asks" : "card"} aria-label={`Call of ${toolName}`}>
      <h2>
        <code>{toolName}</code> <span className={`state ${state}`}>{callStates[state] ?? state}</span>
      </h2>
      <details open={asks}>
        <summary>What it is called with</summary>
        <pre>{JSON.stringify(input, undefined, 2)}</pre>
      </details>
      {asks && (
        <div className="answers">
          <button type="button" className="primary" onClick={() => onWord(approval.id, true)}>
            Approve
          </button>
          <button type="button" onClick={() => onWord(approval.id, false)}>
            Reject
          </button>
        </div>
      )}
      {state === "output-error" && <p className="error">{call.errorText}</p>}
    </section>
  );
}
