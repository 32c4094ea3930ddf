import { isQuestion, ownWords } from "./own-words.ts";
import { documents, everything, ordering, requests, things, work } from "./vocabulary.ts";

export interface WordingVerdict {
  readonly orchestrate: boolean;
  /** 0.5 to 0.95. */
  readonly confidence: number;
  readonly reasons: readonly string[];
  /** The sign that weighed most; `no-sign` when there was none. */
  readonly rule: string;
  /** Whether the sum is clear enough to do without a model. */
  readonly isClear: boolean;
}

/** A message as its signs look at it. */
interface Looked {
  /** The writer's own request. */
  readonly text: string;
  readonly actions: number;
  readonly hasThing: boolean;
  readonly hasDocument: boolean;
  readonly namesPlace: boolean;
}

interface Sign {
  readonly rule: string;
  readonly reason: string;
  readonly weight: number;
  readonly found: (looked: Looked) => boolean;
}

const greeting =
  /^\W*(?:hi|hello|hey|good (?:morning|evening|afternoon|night)|thanks?|thank you|ok(?:ay)?|bye|goodbye|hallo|moin|servus|guten (?:tag|morgen|abend)|danke|tschüss|bonjour|bonsoir|salut|merci|hola|buenos días|gracias|ciao|buongiorno|grazie|olá|oi|obrigad[oa]|bom dia|hoi|dank|cześć|dzień dobry|dziękuję|привет|здравствуйте?|спасибо|merhaba|selam|teşekkürler|مرحبا|السلام عليكم|شكرا|שלום|תודה|سلام|नमस्ते|धन्यवाद|안녕하세요|감사합니다|你好|您好|谢谢|こんにちは|おはよう|ありがとう)(?![\p{L}\p{N}])[^\n]{0,30}$/iu;
/** A file, a folder or an address: it must be opened. Names of libraries end like files do. */
const places =
  /https?:\/\/|(?<![\w/])(?:[\w.-]{1,80}\/){1,8}(?=$|[\s.,;:!?)→])|(?<![\w/])(?!(?:node|next|nuxt|vue|react|express|three|d3|chart)\.js)[\w./-]{1,200}\.(?:md|txt|csv|json|ya?ml|xml|html?|ts|tsx|js|py|pdf|docx?|xlsx?|log|sql)(?!\p{L})/iu;
const points = /^[ \t]*(?:[-*•]|\d+[.)])[ \t]+\S/gm;

const signs: readonly Sign[] = [
  {
    rule: "greeting",
    reason: "is a greeting or thanks",
    weight: -6,
    found: ({ text, actions }) => greeting.test(text) && actions === 0,
  },
  {
    rule: "question",
    reason: "asks one thing",
    weight: -3,
    found: ({ text, namesPlace }) => isQuestion(text) && !namesPlace && !requests.test(text),
  },
  { rule: "short", reason: "is short", weight: -1, found: ({ text }) => text.length < 60 },
  { rule: "one-action", reason: "names at most one action", weight: -1, found: ({ actions }) => actions <= 1 },
  { rule: "several-actions", reason: "names several actions", weight: 2, found: ({ actions }) => actions >= 2 },
  { rule: "many-actions", reason: "names many actions", weight: 1, found: ({ actions }) => actions >= 4 },
  {
    rule: "ordered-steps",
    reason: "puts steps in an order",
    weight: 2,
    found: ({ text, actions }) => actions >= 1 && ordering.test(text),
  },
  {
    rule: "everything-of-a-kind",
    reason: "speaks of every one of something",
    weight: 2,
    found: ({ text, actions, hasThing }) => (actions >= 1 || hasThing) && everything.test(text),
  },
  {
    rule: "list-of-points",
    reason: "is a list of points",
    weight: 3,
    found: ({ text, actions }) => actions >= 1 && (text.match(points)?.length ?? 0) >= 2,
  },
  {
    rule: "work-on-things",
    reason: "asks for work on files, pages or documents",
    weight: 3,
    found: ({ actions, hasDocument, hasThing, namesPlace }) =>
      (actions >= 1 || hasDocument) && (hasThing || namesPlace),
  },
  {
    rule: "files-or-addresses",
    reason: "names files, folders or addresses",
    weight: 4,
    found: ({ namesPlace }) => namesPlace,
  },
  { rule: "document", reason: "asks for a report or document", weight: 1, found: ({ hasDocument }) => hasDocument },
  { rule: "long", reason: "is long", weight: 1, found: ({ text }) => text.length > 600 },
];

const readChars = 20_000;
const clearYes = 8;
const clearNo = -3;
const likelyYes = 2;

export function judgeWording(message: string): WordingVerdict {
  const text = ownWords(message.slice(0, readChars)).trim();
  const looked: Looked = {
    text,
    actions: work.filter((verb) => verb.test(text)).length,
    hasThing: things.test(text),
    hasDocument: documents.test(text),
    namesPlace: places.test(text),
  };
  const met = signs.filter(({ found }) => found(looked));
  const score = met.reduce((sum, { weight }) => sum + weight, 0);
  const orchestrate = score >= likelyYes;
  const weighing = met
    .filter(({ weight }) => weight > 0 === orchestrate)
    .toSorted((a, b) => Math.abs(b.weight) - Math.abs(a.weight));
  return {
    orchestrate,
    confidence: Math.min(0.95, Math.round((0.5 + 0.08 * Math.abs(score - (likelyYes - 0.5))) * 100) / 100),
    reasons:
      weighing.length > 0
        ? weighing.map(({ reason }) => `The message ${reason}.`)
        : ["Nothing in the message asks for more than one step."],
    rule: weighing[0]?.rule ?? "no-sign",
    isClear: score >= clearYes || score <= clearNo,
  };
}
