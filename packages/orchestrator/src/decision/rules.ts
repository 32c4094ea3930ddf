/**
 * What a message's wording says about whether it needs a plan, in several languages.
 *
 * 1. Signs add up; only a clear sum decides without a model, and then one sign gives its name to the rule.
 * 2. Linear in the message; only its first 20,000 characters are read.
 */
export interface RuleVerdict {
  readonly orchestrate: boolean;
  /** 0.5 to 0.95. */
  readonly confidence: number;
  readonly reasons: readonly string[];
  /** The sign that weighed most; `no-sign` when there was none. */
  readonly rule: string;
  /** Whether the sum is clear enough to do without a model. */
  readonly isClear: boolean;
}

interface Sign {
  readonly rule: string;
  readonly reason: string;
  readonly weight: number;
  readonly found: (message: string) => boolean;
}

/** Verbs of work by stem, so that every inflection counts once. Word edges are spelled out: `\b` takes é for one. */
const work: readonly RegExp[] = [
  /(?<!\p{L})(?:read|lies|lese|lis(?:ez)?|lee|leer)(?!\p{L})|读|読/iu,
  /(?<!\p{L})(?:list\w*|auflist\w*|liste[rzn]?|enumera\w*)(?!\p{L})|列出|一覧/iu,
  /(?<!\p{L})(?:find|search|look for|suche|such|finde|cherche\w*|trouve\w*|busca\w*)(?!\p{L})|查找|搜索|探/iu,
  /(?<!\p{L})(?:fetch|download|lade|télécharge\w*|descarga\w*)(?!\p{L})|下载/iu,
  /(?<!\p{L})(?:collect|gather|extract|sammle|extrahiere\w*|collecte\w*|extrai\w*|recopila\w*|extrae\w*)(?!\p{L})|收集|提取/iu,
  /(?<!\p{L})(?:summari[sz]e\w*|zusammenfass\w*|fasse|résume\w*|resum\w*)(?!\p{L})|总结|要約/iu,
  /(?<!\p{L})(?:compare\w*|vergleiche\w*|compara\w*)(?!\p{L})|比较|比較/iu,
  /(?<!\p{L})(?:count|zähle\w*|compte\w*|cuenta\w*)(?!\p{L})|统计/iu,
  /(?<!\p{L})(?:write|draft|schreib\w*|verfasse\w*|écri\w*|rédige\w*|escrib\w*|redacta\w*)(?!\p{L})|写|書/iu,
  /(?<!\p{L})(?:create|build|generate|erstelle\w*|erzeuge\w*|crée\w*|génère\w*|crea\w*|genera\w*)(?!\p{L})|创建|生成|作成/iu,
  /(?<!\p{L})(?:merge|combine|führe|fusionne\w*|combina\w*)(?!\p{L})|合并/iu,
  /(?<!\p{L})(?:analy[sz]e\w*|analysiere\w*|analiza\w*)(?!\p{L})|分析/iu,
  /(?<!\p{L})(?:translate\w*|übersetz\w*|tradui\w*|traduc\w*)(?!\p{L})|翻译|翻訳/iu,
  /(?<!\p{L})(?:review|check|verify|prüfe\w*|vérifie\w*|revisa\w*|verifica\w*)(?!\p{L})|检查|確認/iu,
  /(?<!\p{L})(?:send|publish|post|sende\w*|schicke\w*|envoie\w*|envía\w*)(?!\p{L})|发送|送/iu,
  /(?<!\p{L})(?:implement|refactor|test|deploy|migrate|install)(?!\p{L})|部署|实现/iu,
];
const actionCount = (message: string): number => work.filter((verb) => verb.test(message)).length;

const greeting =
  /^\W*(?:hi|hello|hey|good (?:morning|evening|afternoon|night)|thanks?|thank you|ok(?:ay)?|bye|goodbye|hallo|guten (?:tag|morgen|abend)|danke|tschüss|bonjour|salut|merci|hola|buenos días|gracias|ciao|grazie|你好|您好|谢谢|こんにちは|ありがとう)(?![\p{L}\p{N}])[^\n]{0,30}$/iu;
const ordering =
  /(?<!\p{L})(?:and then|then|after (?:that|which)|afterwards|finally|first(?:ly)?,|next,|step \d|danach|anschließend|zuletzt|zuerst|schließlich|ensuite|puis|enfin|d'abord|luego|después|finalmente|primero)(?!\p{L})|然后|接着|最后|首先|それから|最後に|まず/iu;
const everything =
  /(?<!\p{L})(?:every|each|all (?:the |of )?\w+|jede[nrs]?|alle[nr]?|chaque|tous les|toutes les|cada|todos los|todas las)(?!\p{L})|每个|每一|所有|すべて|各/iu;
const places =
  /(?<!\p{L})(?:files?|folders?|director(?:y|ies)|repositor(?:y|ies)|markdown|csv|pdf|dateien?|ordner|verzeichnis|fichiers?|dossiers?|archivos?|ficheros?|carpetas?)(?!\p{L})|https?:\/\/|\b[\w-]{1,80}\/[\w./-]|\b\w+\.(?:md|txt|csv|json|ts|js|py|pdf)(?!\p{L})|文件|ファイル|フォルダ/iu;
const documents =
  /(?<!\p{L})(?:reports?|documents?|spreadsheets?|table of contents|glossary|presentation|berichts?|tabelle|rapports?|informes?)(?!\p{L})|报告|レポート/iu;

const signs: readonly Sign[] = [
  {
    rule: "greeting",
    reason: "is a greeting or thanks",
    weight: -6,
    found: (m) => greeting.test(m) && actionCount(m) === 0,
  },
  {
    rule: "short-question",
    reason: "is one short question",
    weight: -3,
    found: (m) => m.length < 160 && /[?？]\s*$/.test(m) && (m.match(/[?？]/g)?.length ?? 0) === 1,
  },
  { rule: "short", reason: "is short", weight: -1, found: (m) => m.length < 60 },
  { rule: "one-action", reason: "names at most one action", weight: -1, found: (m) => actionCount(m) <= 1 },
  { rule: "several-actions", reason: "names several actions", weight: 2, found: (m) => actionCount(m) >= 2 },
  { rule: "many-actions", reason: "names many actions", weight: 1, found: (m) => actionCount(m) >= 4 },
  { rule: "ordered-steps", reason: "puts steps in an order", weight: 2, found: (m) => ordering.test(m) },
  {
    rule: "everything-of-a-kind",
    reason: "speaks of every one of something",
    weight: 2,
    found: (m) => everything.test(m),
  },
  {
    rule: "list-of-points",
    reason: "is a list of points",
    weight: 3,
    found: (m) => (m.match(/^[ \t]*(?:[-*•]|\d+[.)])[ \t]+\S/gm)?.length ?? 0) >= 2,
  },
  { rule: "files-or-addresses", reason: "names files, folders or addresses", weight: 1, found: (m) => places.test(m) },
  { rule: "document", reason: "asks for a report or document", weight: 1, found: (m) => documents.test(m) },
  { rule: "long", reason: "is long", weight: 1, found: (m) => m.length > 600 },
];

const readChars = 20_000;
const clearYes = 5;
const clearNo = -3;
const likelyYes = 2;

export function judgeByRules(message: string): RuleVerdict {
  const text = message.slice(0, readChars).trim();
  const met = signs.filter(({ found }) => found(text));
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
