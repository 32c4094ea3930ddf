/**
 * One connection's talk with PostgreSQL, as far as one must follow it to lose exactly one reply.
 *
 * Source: PostgreSQL documentation, "Message Flow". In the extended protocol an autocommit statement is committed at
 * Sync, after its CommandComplete: only ReadyForQuery with the status "idle" proves the commit.
 *
 * 1. A round is what the client sends up to a Sync, or one simple query; its reply ends with ReadyForQuery.
 * 2. A statement in a transaction is settled by the round that ends the transaction: with COMMIT or not.
 */
import { createFrameReader, leadingStrings } from "./frames.ts";

export interface Round {
  /** The statements that the client asked for in this round. */
  readonly statements: readonly string[];
  /** True in the round that committed them: this one, or the later one of a transaction. */
  readonly committed: readonly string[];
  readonly hasFailed: boolean;
  /** Where in the chunk the next round's reply begins. */
  readonly end: number;
}

export interface PostgresDialogue {
  /** From the startup message; "" before it. */
  readonly applicationName: string;
  /** Takes what the client sends, and gives the statements that it asks for in it. */
  asked(chunk: Buffer): readonly string[];
  /** Takes what the server sends, and gives the rounds that end in it. */
  answered(chunk: Buffer): readonly Round[];
  /** The statements whose reply comes next, with those of the open transaction. */
  awaited(): readonly string[];
}

export function createPostgresDialogue(): PostgresDialogue {
  const requests = createFrameReader({ untypedFirst: true });
  const replies = createFrameReader({ untypedFirst: false });
  const prepared = new Map<string, string>();
  const portals = new Map<string, string>();
  let applicationName = "";
  let asking: string[] = [];
  const rounds: (readonly string[])[] = [];
  let inTransaction: readonly string[] = [];
  let hasFailed = false;
  let hasCommitted = false;

  const close = (): void => {
    rounds.push(asking);
    asking = [];
  };
  const request = (type: string, head: Buffer): string | undefined => {
    const [first = "", second = ""] = leadingStrings(head, 2);
    switch (type) {
      case "":
        applicationName ||= startupParameter(head, "application_name");
        return undefined;
      case "P":
        prepared.set(first, second);
        return undefined;
      case "B":
        portals.set(first, prepared.get(second) ?? "");
        return undefined;
      case "E":
        asking.push(portals.get(first) ?? "");
        return asking.at(-1);
      case "Q":
        asking.push(first);
        close();
        return first;
      case "S":
        close();
        return undefined;
      default:
        return undefined;
    }
  };
  const endRound = (status: string, end: number): Round => {
    const statements = rounds.shift() ?? [];
    const all = [...inTransaction, ...statements];
    const isIdle = status === "I";
    const isUndone = hasFailed || (isIdle && inTransaction.length > 0 && !hasCommitted);
    const round = { statements, committed: isIdle && !isUndone ? all : [], hasFailed, end };
    inTransaction = isIdle ? [] : all;
    hasFailed = false;
    hasCommitted = false;
    return round;
  };

  return {
    get applicationName() {
      return applicationName;
    },
    asked: (chunk) =>
      requests.read(chunk).flatMap(({ type, head }) => {
        const statement = request(type, head);
        return statement === undefined ? [] : [statement];
      }),
    answered: (chunk) => {
      const ended: Round[] = [];
      for (const { type, head, end } of replies.read(chunk)) {
        if (type === "E") hasFailed = true;
        else if (type === "C" && leadingStrings(head, 1)[0] === "COMMIT") hasCommitted = true;
        else if (type === "Z") ended.push(endRound(head.toString("latin1", 0, 1), end));
      }
      return ended;
    },
    awaited: () => [...inTransaction, ...(rounds[0] ?? [])],
  };
}

/** StartupMessage: Int32 version, then names and values, all zero-terminated. */
function startupParameter(head: Buffer, name: string): string {
  const texts = leadingStrings(head.subarray(4), 64);
  const at = texts.findIndex((text, index) => index % 2 === 0 && text === name);
  return at === -1 ? "" : (texts[at + 1] ?? "");
}
