/**
 * The shell commands of a Markdown page, as data, and what the page says they answer.
 *
 * 1. Only fenced blocks of `sh` count. A command may go on over lines by `\` or inside quotes.
 * 2. Comment lines after a command are its documented answer.
 * 3. Words are split as a shell does it: quotes, and `$NAME` except inside single quotes; a pipe is a word of
 *    its own. Anything else a shell knows is refused, so that no command is half understood.
 */
export interface DocumentedCommand {
  /** As written, for messages. */
  readonly text: string;
  readonly answer: string;
  /** @throws when a variable is not given */
  words(variables: Readonly<Record<string, string>>): readonly string[];
}

export interface CurlRequest {
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

export function commandsOf(markdown: string): readonly DocumentedCommand[] {
  return [...markdown.matchAll(/^```sh\n([\s\S]*?)^```/gm)].flatMap(([, block = ""]) => commandsOfBlock(block));
}

function commandsOfBlock(block: string): readonly DocumentedCommand[] {
  const commands: { text: string; answer: string }[] = [];
  let open = "";
  for (const line of block.split("\n")) {
    if (open === "" && line.trim() === "") continue;
    if (open === "" && line.startsWith("#")) {
      const last = commands.at(-1);
      if (last !== undefined) last.answer += `${line.slice(1).trim()}\n`;
      continue;
    }
    open += `${line}\n`;
    if (line.endsWith("\\") || insideQuotes(open)) continue;
    commands.push({ text: open.trim(), answer: "" });
    open = "";
  }
  if (open !== "") throw new Error(`This command does not end:\n${open}`);
  return commands.map(({ text, answer }) => ({ text, answer, words: (variables) => splitWords(text, variables) }));
}

const token = /'([^']*)'|"((?:[^"\\]|\\.)*)"|\\\n|(\s+)|(#.*)|([^\s'"\\#|&;<>*?(){}`]+|<[a-z]+>|\|)/gy;

function insideQuotes(text: string): boolean {
  const rest = text.replaceAll(/'[^']*'|"(?:[^"\\]|\\.)*"/g, "").replaceAll(/(?:^|\s)#.*/g, "");
  return /['"]/.test(rest);
}

function splitWords(text: string, variables: Readonly<Record<string, string>>): readonly string[] {
  const expand = (part: string): string =>
    part.replaceAll(/\$([A-Z_]+)/g, (_all, name: string) => {
      const value = variables[name];
      if (value === undefined) throw new Error(`$${name} is not known: ${text}`);
      return value;
    });
  const words: string[] = [];
  let word: string | undefined;
  let end = 0;
  for (const [all, single, double, space, , bare] of text.matchAll(token)) {
    end += all.length;
    if (single !== undefined) word = (word ?? "") + single;
    else if (double !== undefined) word = (word ?? "") + expand(double).replaceAll(/\\(.)/g, "$1");
    else if (bare !== undefined) word = (word ?? "") + expand(bare);
    else if (word !== undefined && (space !== undefined || all === "\\\n")) {
      words.push(word);
      word = undefined;
    }
  }
  if (end !== text.length) throw new Error(`Not understood: ${text.slice(end)}`);
  return word === undefined ? words : [...words, word];
}

export function curlRequest(words: readonly string[]): CurlRequest {
  const [command, ...rest] = words;
  if (command !== "curl") throw new Error(`No curl: ${words.join(" ")}`);
  const headers: Record<string, string> = {};
  let [url, method, body]: (string | undefined)[] = [];
  for (let at = 0; at < rest.length; at += 1) {
    const word = rest[at] as string;
    if (word === "-N") continue;
    if (word === "-H") {
      const [name = "", ...value] = (rest[++at] ?? "").split(":");
      headers[name.toLowerCase()] = value.join(":").trim();
    } else if (word === "-d") body = rest[++at];
    else if (word === "-X") method = rest[++at];
    else if (word.startsWith("-") || url !== undefined) throw new Error(`Not understood: ${word}`);
    else url = word;
  }
  if (url === undefined) throw new Error(`No URL: ${words.join(" ")}`);
  return { url, method: method ?? (body === undefined ? "GET" : "POST"), headers, body };
}

/** How an answer differs from a documented one: names must be the same, "…" is any text, a number any number. */
export function differences(answer: unknown, documented: unknown, place = "the answer"): readonly string[] {
  if (Array.isArray(documented)) {
    if (!Array.isArray(answer)) return [`${place} is no list`];
    const [example] = documented as readonly unknown[];
    return example === undefined
      ? []
      : answer.flatMap((each, index) => differences(each, example, `${place}[${index}]`));
  }
  if (isRecord(documented)) {
    if (!isRecord(answer)) return [`${place} is no object`];
    const names = new Set([...Object.keys(answer), ...Object.keys(documented)]);
    return [...names].flatMap((name) => {
      if (!(name in documented)) return [`${place}.${name} is not documented`];
      if (!(name in answer)) return [`${place}.${name} is missing`];
      return differences(answer[name], documented[name], `${place}.${name}`);
    });
  }
  const same =
    typeof documented === "number" || documented === "…"
      ? typeof answer === typeof documented
      : Object.is(answer, documented);
  return same ? [] : [`${place} is ${JSON.stringify(answer)}, documented as ${JSON.stringify(documented)}`];
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
