/**
 * What a command says, and where.
 *
 * 1. Data goes to standard output; everything about the way there goes to standard error.
 * 2. Without a terminal on standard error progress is silent, unless the command forces it.
 * 3. Colour follows the terminal and NO_COLOR; nothing depends on it.
 */
import { styleText } from "node:util";

type Style = "bold" | "dim" | "green" | "red" | "yellow" | "cyan";

export interface Console {
  /** Columns that may be filled. */
  readonly columns: number;
  /** True when progress is shown. */
  readonly showsProgress: boolean;
  /** A line or several on standard output. */
  data(text: string): void;
  /** On standard error, always: warnings, errors, where things went. */
  note(text: string): void;
  /** On standard error, when somebody looks. */
  progress(text: string): void;
  /** A line at the bottom that the next one replaces; only on a terminal. */
  status(text: string): void;
  /** For text that goes to standard output. */
  paintData(style: Style, text: string): string;
  /** For text that goes to standard error. */
  paint(style: Style, text: string): string;
}

export interface ConsoleOptions {
  /** Show progress without a terminal too. */
  readonly always?: boolean;
}

const fallbackColumns = 100;
const clearLine = "\r\u001b[2K";

export function openConsole(options: ConsoleOptions = {}): Console {
  const { stdout, stderr } = process;
  const isTerminal = stderr.isTTY === true;
  let hasStatus = false;
  const say = (text: string) => {
    stderr.write(`${hasStatus ? clearLine : ""}${text}\n`);
    hasStatus = false;
  };
  const columns = () => Math.max(40, (stdout.isTTY ? stdout.columns : stderr.columns) || fallbackColumns);
  const showsProgress = isTerminal || options.always === true;
  return {
    get columns() {
      return columns();
    },
    showsProgress,
    data(text) {
      if (hasStatus) stderr.write(clearLine);
      hasStatus = false;
      stdout.write(`${text}\n`);
    },
    note: say,
    progress(text) {
      if (showsProgress) say(text);
    },
    status(text) {
      if (!isTerminal) return;
      // A line as wide as the terminal would wrap, and could not be cleared.
      stderr.write(`${clearLine}${text.slice(0, columns() - 1)}`);
      hasStatus = text !== "";
    },
    paintData: (style, text) => styleText(style, text, { stream: stdout }),
    paint: (style, text) => styleText(style, text, { stream: stderr }),
  };
}

/** A reader that has left (`| head`) is no error. */
export function endWithReader(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
      process.exit(141);
    });
  }
}
