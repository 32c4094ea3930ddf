/** One example per shape, for the documents; the contract tests hold each against its schema. */
export const taskId = "019abc00-0000-7000-8000-000000000001";
const stepId = "019abc00-0000-7000-8000-000000000002";
const otherId = "019abc00-0000-7000-8000-000000000003";
const at = "2026-11-20T12:00:00.000Z";

export const createTaskBody = {
  goal: "Say what the Markdown files are about",
  plan: {
    steps: [
      { id: "find", type: "tool", tool: "files.list", arguments: { pattern: "**/*.md" } },
      {
        id: "sum",
        type: "llm",
        prompt: {
          $cel: "'Say in one sentence what these files are about: ' + steps.find.output.files.map(f, f.path).join(', ')",
        },
        depends_on: ["find"],
      },
    ],
  },
};
export const createdTask = { id: taskId, kind: "plan", state: "pending" };
export const task = {
  id: taskId,
  kind: "plan",
  goal: "Say what the Markdown files are about",
  state: "running",
  intent: "none",
  settings: {
    maxSteps: 50,
    contextWindowLimit: 100_000,
    checkpointInterval: 5,
    maxPlanRevisions: 5,
    evaluate: true,
    priority: 0,
  },
  progress: 50,
  totalSteps: 2,
  settledSteps: 1,
  runningSteps: 1,
  failedSteps: 0,
  revisionCount: 0,
  traceNo: 7,
  usage: { inputTokens: 0, outputTokens: 0, costUsd: null },
  offline: false,
  createdAt: at,
  updatedAt: at,
  startedAt: at,
};
export const step = {
  id: stepId,
  position: 0,
  key: "find",
  kind: "user",
  type: "tool",
  description: "Call files.list",
  state: "completed",
  attemptNo: 1,
  failureCount: 0,
  crashCount: 0,
  dependsOn: [],
  availableAt: at,
  startedAt: at,
  finishedAt: at,
  worker: "worker-1",
  output: { files: ["a.md"] },
  outputSizeBytes: 18,
  offline: false,
  usage: { inputTokens: 0, outputTokens: 0, costUsd: null },
};
export const trace = {
  no: 3,
  type: "step-started",
  stepId,
  attemptNo: 1,
  data: { sessionId: otherId, worker: "worker-1", continued: false },
  createdAt: at,
};
export const traceStream = `id: 3\nevent: trace\ndata: ${JSON.stringify(trace)}\n\nevent: live\ndata: {"kind":"delta","text":"Once"}\n\nevent: end\ndata: {"state":"completed"}\n\n`;
export const checkpoints = { checkpoints: [{ id: otherId, no: 1, traceNo: 9, stepCount: 5, createdAt: at }] };
export const context = {
  id: otherId,
  outputs: [
    {
      key: "find",
      stepId,
      description: "Call files.list",
      state: "completed",
      output: { files: ["a.md"] },
      sizeBytes: 18,
    },
  ],
};
export const artifact = {
  id: otherId,
  stepId,
  name: "report.md",
  mediaType: "text/markdown",
  sizeBytes: 2_048,
  sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
  createdAt: at,
};
export const why = {
  state: "running",
  waits: [{ on: "running", stepId, stepKey: "sum", since: at, detail: "worker-1 performs it", movedBy: "its end" }],
};
export const intentAnswer = { id: taskId, state: "cancelled", changed: true };

const deadLetter = {
  id: stepId,
  task: { id: taskId, goal: "Send the invoice", state: "failed" },
  step: { key: "send", kind: "user", type: "tool", tool: "http.request" },
  error: {
    code: "tool-failed",
    message: "https://mail.example.com answered 503",
    causes: [{ name: "TypeError", message: "fetch failed" }],
  },
  failedAt: at,
  attemptNo: 3,
  failureCount: 3,
  crashCount: 0,
  onExhausted: "fail",
  actions: ["resolve-call", "retry", "complete", "skip"],
};
export const deadLetters = {
  total: 1,
  groups: [
    {
      id: "9f86d081884c",
      code: "tool-failed",
      message: "<url> answered <n>",
      type: "tool",
      tool: "http.request",
      count: 1,
      taskCount: 1,
      firstFailedAt: at,
      lastFailedAt: at,
      letters: [deadLetter],
      nextCursor: null,
    },
  ],
  nextCursor: null,
};
export const deadLetterDetails = {
  ...deadLetter,
  attempts: [{ attemptNo: 3, worker: "worker-1", startedAt: at, endedAt: at, end: "failed", error: deadLetter.error }],
  config: { type: "tool", tool: "http.request", arguments: { method: "POST", url: "https://mail.example.com/send" } },
  unevaluated: [],
  effects: [
    {
      callNo: 1,
      attemptNo: 3,
      tool: "http.request",
      effect: "write",
      arguments: { method: "POST", url: "https://mail.example.com/send" },
      idempotencyKey: `${stepId}-1`,
      state: "unknown",
      late: false,
      resolved: false,
      createdAt: at,
      finishedAt: at,
    },
  ],
};
export const effects = {
  effects: deadLetterDetails.effects.map((call) => ({
    ...call,
    stepId,
    stepKey: "send",
    stepState: "failed",
    inDoubt: true,
  })),
  nextCursor: null,
};
export const effectAnswer = {
  taskId,
  stepId,
  callNo: 1,
  state: "succeeded",
  stepState: "ready",
  taskState: "running",
  changed: true,
};
export const letterAnswer = { id: stepId, taskId, state: "completed", taskState: "completed", changed: true };

const spent = {
  settled: { tokens: 12_800, usd: 0.0412, modelCalls: 9, toolCalls: 0 },
  reserved: { tokens: 9_100, usd: 0.0455, modelCalls: 1 },
  overrun: { tokens: 0, usd: 0 },
};
export const taskBudget = { taskId, caps: { tokens: 100_000, usd: 0.5 }, ...spent, elapsedMs: 42_000 };
export const budgetChanged = { taskId, state: "running", changed: true };
export const tenantBudget = { scope: "tenant-day", caps: { usd: 50 }, ...spent };
const figures = {
  calls: 9,
  inputTokens: 10_200,
  outputTokens: 2_600,
  costUsd: 0.0412,
  estimatedCalls: 0,
  lostCalls: 0,
  unpricedCalls: 0,
  overrunTokens: 0,
  overrunUsd: 0,
  cachedInputTokens: 0,
  cacheWriteTokens: 0,
};
export const usage = {
  from: "2026-10-21",
  to: "2026-11-20",
  groupBy: "model",
  total: figures,
  rows: [{ model: { provider: "anthropic", model: "claude-haiku-5-5" }, ...figures }],
};

export const chatBody = {
  id: "thread-1",
  message: { role: "user", parts: [{ type: "text", text: "What is a lease?" }] },
};
export const escalated = {
  id: "msg-1",
  role: "assistant",
  content: "This takes several steps, so it runs as a task.",
  taskId,
  orchestrated: true,
};
export const uiStream =
  'data: {"type":"start","messageId":"msg-1"}\n\ndata: {"type":"start-step"}\n\ndata: {"type":"text-start","id":"t1"}\n\ndata: {"type":"text-delta","id":"t1","delta":"A lease is …"}\n\ndata: {"type":"text-end","id":"t1"}\n\ndata: {"type":"finish-step"}\n\ndata: {"type":"finish"}\n\ndata: [DONE]\n\n';
export const threadMessages = {
  id: "thread-1",
  messages: [
    {
      id: "m-1",
      role: "user",
      parts: [{ type: "text", text: "What is a lease?" }],
      metadata: { createdAt: "2026-11-21T08:00:00.000Z" },
    },
  ],
  active: false,
};
export const orchestrateBody = { goal: "Read every Markdown file below docs and report the decisions" };
export const orchestrated = {
  taskId,
  status: "queued",
  strategy: { steps: [{ id: "find", description: "Find the files", type: "tool", dependsOn: [] }], totalSteps: 1 },
  estimatedDuration: 12,
};
export const orchestration = {
  taskId,
  status: "running",
  goal: "Read every Markdown file below docs and report the decisions",
  progress: 50,
  currentStep: 1,
  totalSteps: 2,
  steps: [
    { index: "0", description: "Find the files", status: "completed" },
    { index: "1", description: "Summarise them", status: "running" },
  ],
  latestTraces: [{ type: "step-started", message: "summarise started on worker-1", timestamp: at }],
  createdAt: at,
  updatedAt: at,
};

export const tools = {
  tools: [
    { name: "clock.now", description: "The time now", effect: "read", inputSchema: { type: "object", properties: {} } },
  ],
};
export const models = {
  models: [{ provider: "offline", model: "offline-rules", offline: true, contextWindow: 100_000 }],
};
export const createdKey = { id: otherId, name: "ci", scopes: ["read", "write"], key: "baton_…" };
export const keys = { keys: [{ id: otherId, name: "ci", scopes: ["read", "write"], createdAt: at }] };
export const readiness = {
  status: "ready",
  checks: { store: "ok", workers: "serving", eventLoop: "ok" },
  eventLoopLagMs: 12,
};

export const question = {
  id: otherId,
  taskId,
  stepId,
  stepKey: "mail",
  callNo: 2,
  kind: "approval",
  state: "open",
  tool: "mail.send",
  effect: "irreversible",
  arguments: { to: "all@example.org", text: "We move on Friday." },
  approvers: [],
  quorum: 1,
  votes: [],
  createdAt: at,
};
export const questions = { questions: [question], nextCursor: null };
export const questionAnswer = {
  id: otherId,
  taskId,
  stepId,
  state: "approved",
  votes: 1,
  quorum: 1,
  stepState: "ready",
  taskState: "running",
  changed: true,
};

export const mcpTool = {
  name: "files.read_file",
  server: "files",
  state: "accepted",
  description: "Reads a file.",
  effect: "read",
  inputSchema: { type: "object", properties: { path: { type: "string" } }, required: ["path"] },
  hash: "6b8a5d1c3e7f40921a5d6b8c7e9f0d1c2b3a4f5e6d7c8b9a0f1e2d3c4b5a6978",
  acceptedBy: "first-use",
  acceptedAt: at,
  changedAt: at,
};

const limits = { turns: 50, tool_calls: 200 };
const written = { description: "Writes mails.", instructions: "Write short mails.", tools: ["files.read"] };
export const putAgentBody = written;
export const agent = {
  name: "writer",
  origin: "api",
  version: 3,
  definition: { name: "writer", version: 3, ...written, agents: [], approvals: [], capabilities: [], limits },
  createdAt: at,
};
export const agents = { agents: [agent], problems: [] };

export const agentNotes = {
  notes: [{ id: otherId, text: "The harbour's minutes stand in minutes/.", taskId, createdAt: at }],
  nextCursor: null,
};

const spentHere = { count: 1, inputTokens: 310, outputTokens: 42, estimated: false, costUsd: 0.0016 };
export const evaluateDecisionBody = { message: "Compare a.csv with b.csv" };
export const evaluatedDecision = {
  decision: { orchestrate: true, confidence: 0.9, reasons: ["Two files are to be read and compared."] },
  model: { provider: "anthropic", model: "claude-sonnet-5-5" },
  calls: spentHere,
  durationMs: 912,
  offline: false,
};
export const evaluatePlanBody = { goal: "Say what time it is now", tools: ["clock.now"] };
export const evaluatedPlan = {
  plan: { steps: [{ id: "now", type: "tool", tool: "clock.now", arguments: {} }] },
  rejected: [],
  estimatedDurationMs: 1_000,
  model: { provider: "anthropic", model: "claude-sonnet-5-5" },
  calls: spentHere,
  durationMs: 1_830,
  offline: false,
};
