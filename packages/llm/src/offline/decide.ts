/** Whether a message needs a plan, by its words. The object answers `shouldOrchestrate`'s schema. */
export interface Decision {
  readonly orchestrate: boolean;
  readonly confidence: number;
  readonly reasons: readonly string[];
}

interface Sign {
  readonly reason: string;
  readonly weight: number;
  readonly found: (message: string) => boolean;
}

const actions =
  /\b(?:read|list|find|search|fetch|download|collect|extract|summari[sz]e|compare|count|write|create|build|merge|combine|analy[sz]e|translate|review|check|generate|convert|send|report|plan|implement|test|deploy|migrate)\b/gi;

const signs: readonly Sign[] = [
  {
    reason: "names several actions",
    weight: 2,
    found: (message) => new Set(message.toLowerCase().match(actions)).size >= 2,
  },
  {
    reason: "joins steps with then, after that or finally",
    weight: 2,
    found: (message) =>
      /\b(?:and then|then|after (?:that|which)|afterwards|finally|first(?:ly)?,|next,|step \d|danach|anschließend)\b/i.test(
        message,
      ),
  },
  {
    reason: "speaks of every, each or all of something",
    weight: 2,
    found: (message) => /\b(?:every|each|all (?:the |of )?\w+|jede[nrs]?|alle)\b/i.test(message),
  },
  {
    reason: "names files, folders or addresses",
    weight: 1,
    found: (message) =>
      /\b(?:files?|folders?|director(?:y|ies)|repositor(?:y|ies)|markdown|csv|pdf)\b|https?:\/\/|\S\/\S+|\b\w+\.(?:md|txt|csv|json|ts|js|py|pdf)\b/i.test(
        message,
      ),
  },
  {
    reason: "is a list of points",
    weight: 2,
    found: (message) => (message.match(/^\s*(?:[-*]|\d+[.)])\s+\S/gm)?.length ?? 0) >= 2,
  },
  {
    reason: "asks for a report or document",
    weight: 1,
    found: (message) => /\b(?:report|document|spreadsheet|table of contents|glossary|bericht)\b/i.test(message),
  },
  { reason: "is long", weight: 1, found: (message) => message.length > 600 },
  {
    reason: "is a greeting or thanks",
    weight: -4,
    found: (message) =>
      /^\W*(?:hi|hello|hey|good (?:morning|evening|afternoon)|thanks?|thank you|ok(?:ay)?|bye|hallo|guten|merci|danke|hola|你好|こんにちは)\b[^\n]{0,30}$/i.test(
        message,
      ),
  },
  {
    reason: "is one short question",
    weight: -2,
    found: (message) =>
      message.length < 160 && /[?？]\s*$/.test(message) && (message.match(/[?？]/g)?.length ?? 0) === 1,
  },
  { reason: "is short", weight: -1, found: (message) => message.length < 60 },
];

export function decide(message: string): Decision {
  const text = message.trim();
  const met = signs.filter((sign) => sign.found(text));
  const score = met.reduce((sum, { weight }) => sum + weight, 0);
  const orchestrate = score >= 2;
  const confidence = Math.min(0.95, 0.55 + 0.1 * Math.abs(score - 1.5));
  const side = met.filter(({ weight }) => weight > 0 === orchestrate).map(({ reason }) => `The message ${reason}.`);
  return {
    orchestrate,
    confidence: Math.round(confidence * 100) / 100,
    reasons: side.length > 0 ? side : ["Nothing in the message asks for more than one step."],
  };
}
