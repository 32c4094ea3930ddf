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

/** Verbs of work by stem, so that every inflection counts once. `\b` knows Latin letters only. */
const work: readonly RegExp[] = [
  /\b(?:read|lies|lese|lis(?:ez)?|lee|leer)\b|读|読/i,
  /\b(?:list|list\w*|auflist\w*|liste[rzn]?|enumera\w*)\b|列出|一覧/i,
  /\b(?:find|search|look for|suche|such|finde|cherche\w*|trouve\w*|busca\w*)\b|查找|搜索|探/i,
  /\b(?:fetch|download|lade|télécharge\w*|descarga\w*)\b|下载/i,
  /\b(?:collect|gather|extract|sammle|extrahiere\w*|collecte\w*|extrai\w*|recopila\w*|extrae\w*)\b|收集|提取/i,
  /\b(?:summari[sz]e\w*|zusammenfass\w*|fasse|résume\w*|resum\w*)\b|总结|要約/i,
  /\b(?:compare\w*|vergleiche\w*|compara\w*)\b|比较|比較/i,
  /\b(?:count|zähle\w*|compte\w*|cuenta\w*)\b|统计/i,
  /\b(?:write|draft|schreib\w*|verfasse\w*|écri\w*|rédige\w*|escrib\w*|redacta\w*)\b|写|書/i,
  /\b(?:create|build|generate|erstelle\w*|erzeuge\w*|crée\w*|génère\w*|crea\w*|genera\w*)\b|创建|生成|作成/i,
  /\b(?:merge|combine|führe|fusionne\w*|combina\w*)\b|合并/i,
  /\b(?:analy[sz]e\w*|analysiere\w*|analiza\w*)\b|分析/i,
  /\b(?:translate\w*|übersetz\w*|tradui\w*|traduc\w*)\b|翻译|翻訳/i,
  /\b(?:review|check|verify|prüfe\w*|vérifie\w*|revisa\w*|verifica\w*)\b|检查|確認/i,
  /\b(?:send|publish|post|sende\w*|schicke\w*|envoie\w*|envía\w*)\b|发送|送/i,
  /\b(?:implement|refactor|test|deploy|migrate|install)\b|部署|实现/i,
];
const actionCount = (message: string): number => work.filter((verb) => verb.test(message)).length;

const greeting =
  /^\W*(?:hi|hello|hey|good (?:morning|evening|afternoon|night)|thanks?|thank you|ok(?:ay)?|bye|goodbye|yes|no|hallo|guten (?:tag|morgen|abend)|danke|tschüss|bonjour|salut|merci|hola|buenos días|gracias|ciao|grazie|你好|您好|谢谢|こんにちは|ありがとう)(?![\p{L}\p{N}])[^\n]{0,30}$/iu;
const ordering =
  /\b(?:and then|then|after (?:that|which)|afterwards|finally|first(?:ly)?,|next,|step \d|danach|anschließend|zuletzt|zuerst|schließlich|ensuite|puis|enfin|d'abord|luego|después|finalmente|primero)\b|然后|接着|最后|首先|それから|最後に|まず/i;
const everything =
  /\b(?:every|each|all (?:the |of )?\w+|jede[nrs]?|alle[nr]?|chaque|tous les|toutes les|cada|todos los|todas las)\b|每个|每一|所有|すべて|各/i;
const places =
  /\b(?:files?|folders?|director(?:y|ies)|repositor(?:y|ies)|markdown|csv|pdf|dateien?|ordner|verzeichnis|fichiers?|dossiers?|archivos?|ficheros?|carpetas?)\b|https?:\/\/|\b[\w-]+\/[\w./-]+|\b\w+\.(?:md|txt|csv|json|ts|js|py|pdf)\b|文件|ファイル|フォルダ/i;
const documents =
  /\b(?:reports?|documents?|spreadsheets?|table of contents|glossary|presentation|berichts?|tabelle|rapports?|informes?)\b|报告|レポート/i;

const signs: readonly Sign[] = [
  {
    rule: "greeting",
    reason: "is a greeting, thanks or a plain yes or no",
    weight: -6,
    found: (m) => greeting.test(m),
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
