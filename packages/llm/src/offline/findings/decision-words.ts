/** The words by which a sentence states, labels or denies a decision. English, German, French, Spanish, Chinese, Japanese. */

const adverbs =
  "(?:(?:also|finally|therefore|thus|then|now|unanimously|jointly|already|just|instead|all|both|explicitly|deliberately|eventually|formally|initially|ultimately|consequently|has|have|had|'ve)\\s+)*";
const deciders =
  "(?:we|they|i|she|he|everyone|everybody|all|both|(?:the|our|this) (?:[\\w-]+ ){0,2}?(?:teams?|group|board|committee|council|maintainers|meeting|project|company|authors?|developers|members|participants|stakeholders|management|leads?|architects?|attendees|majority))";
const verbs =
  "(?:decided|chose|chosen|agreed (?:to|that|on|upon|not)|selected|adopted|rejected|settled (?:on|for)|opted|resolved (?:to|that)|approved|picked|voted|went with|ruled out|dropped|committed to|standardi[sz]ed on|discarded|concluded that we)";
const optionWords =
  "(?:options?|proposals?|alternatives?|approach(?:es)?|ideas?|designs?|plans?|suggestions?|candidates?|motions?|librar(?:y|ies)|frameworks?|databases?|tools?|variants?|changes?|version|architecture|solution)";

const statements: readonly RegExp[] = [
  new RegExp(`\\b${deciders}[’']?(?:ve)?\\s+${adverbs}${verbs}\\b`, "i"),
  /\b(?:was|were|has been|have been|had been|been|got)\s+(?:\w+ly\s+|also\s+|then\s+)?(?:decided|agreed(?! with)|settled on|voted (?:down|in)|ruled out)\b/i,
  /\b(?:was|were|has been|have been)\s+(?:\w+ly\s+|also\s+|then\s+)?(?:adopted|chosen|selected|rejected|approved|dropped|discarded|preferred|picked|accepted)\s+(?:because|as\b(?! soon)|over\b|in favou?r|instead|for\b|since\b|due to|by the (?:team|board|committee|council|group|maintainers))/i,
  new RegExp(
    `\\b${optionWords}\\b[^.;]{0,40}\\b(?:was|were|has been|have been)\\s+(?:\\w+ly\\s+)?(?:adopted|chosen|selected|rejected|approved|dropped|discarded|accepted)\\b`,
    "i",
  ),
  /\bdecided\s+(?:to|on|that|against|not|in favou?r|unanimously)\b/i,
  /\bdecision (?:is|was|has been(?: made| taken)?|made|taken)\s*(?:to\b|that\b|:)/i,
  /\b(?:the|our|a|this|final) decision (?:to|that|against|for)\b[^.]*\b(?:was|has been|is) (?:made|taken|final)\b/i,
  /\b(?:made|took|reached|came to)\s+(?:the|a|our)\s+(?:\w+\s+)?decision (?:to|that|against)\b/i,
  /\bwe(?:\s+(?:will|shall|are going to)|[’']ll)\s+(?:now\s+|therefore\s+|continue to\s+|only\s+|always\s+|no longer\s+|not\s+)*(?:use|adopt|keep|stay with|stick (?:with|to)|go with|move to|switch to|migrate to|replace|drop|support|standardi[sz]e on|build on|rely on|store|deprecate|ship|retire)\b/i,
  /\bwir (?:haben )?(?:uns )?[^.]{0,60}(?:entschieden|beschlossen|geeinigt)\b|\b(?:wurde|worden|ist|haben|hat) [^.]{0,60}beschlossen\b|\bwir (?:verwenden|nutzen|setzen) (?:künftig|ab sofort)\b|\b(?:hat|haben) sich [^.]{0,40}entschieden\b/i,
  /\bnous avons [^.]{0,20}(?:décidé|choisi|retenu|adopté|rejeté)(?![a-zé])|\bil a été décidé(?![a-zé])|\ba décidé (?:de|d[’'])/i,
  /\b(?:hemos decidido|decidimos|se decidió|se ha decidido|acordamos|hemos elegido|se acordó)(?![a-zó])/i,
  /(?:決定しました|決定した|に決めた|に決めました|を採用し|採用しました|我们决定|已决定|决定采用|决定使用|我们选择|会议决定)/,
];

const labelled =
  /^\W*(?:decisions?|decided|resolved|agreed|rejected(?: options?| alternatives?)?|chosen(?: option)?|entscheidung(?:en)?|beschl(?:uss|üsse)|décisions?|decisión|decisiones|決定|决定)(?:\s+(?:made|taken|outcome|\(?\d{4}-\d\d-\d\d\)?|#?\d+))?\s*\W{0,3}[:：]/i;
const headings =
  /^\W*(?:[\d.]+\s*)?(?:the |our |key |main |final |architectural |design )?(?:decisions?(?: (?:outcome|made|taken|that follow|we made|so far|log))?|what we decided|what was decided|resolutions|agreements|choice|choice made|chosen(?: option| solution| approach)?|entscheidung(?:en)?|beschl(?:uss|üsse)|décisions?(?: prises?)?|decisión|decisiones|決定(?:事項)?|决定)\W*$/i;

const denials: readonly RegExp[] = [
  /[?？]\W*$/,
  /\b(?:no|without (?:a|any)|neither)\s+(?:\w+\s+){0,2}(?:decisions?|agreement|resolution|choice)\b/i,
  /\b(?:undecided|tbd|to be (?:decided|agreed|chosen|determined)|(?:not|never|yet to be|hasn[’']t|haven[’']t|wasn[’']t|isn[’']t|nothing|nobody|no one|none)\b[^.,;:]{0,40}\b(?:decided|agreed|chosen|settled|selected|adopted|approved))\b/i,
  /\bdecisions?\b[^.;]{0,40}\b(?:pending|open|postponed|deferred|outstanding|delayed|needed|required|not (?:yet )?(?:made|taken|final))\b/i,
  /\b(?:postponed|deferred|delayed|awaiting|await|need|needs|pending)\b[^.;]{0,20}\bdecisions?\b/i,
  /^\W*(?:if|suppose|supposing|imagine|assume|assuming|unless|had we|whether|for example|e\.g\.)\b/i,
  /\b(?:if|unless|whether|until|once|before|in case)\s+(?:\w+\s+){0,4}(?:is |are |was |were |have |has |been |be )*(?:decided|agreed|chosen|adopted|rejected|selected|approved|settled)\b/i,
  /\b(?:who|what|how|why|(?<!in )which|where|when)\s+(?:\w+\s+){0,3}(?:decided|chose|chosen|agreed|adopted|rejected|selected|approved)\b/i,
  /\b(?:you|your|users?|callers?|clients?|customers?|readers?|visitors?|applicants?|the (?:server|parser|compiler|scheduler|validator|browser|system|function|program|worker|queue))\s+(?:\w+\s+){0,2}(?:decide|chose|chosen|selected|rejected|picked|agreed|dropped)/i,
  /\b(?:tutorial|chapter|section|example|guide|article|exercise|walkthrough|lesson)s?\b[^.]{0,40}\bwe(?:[’']ll| will)\b/i,
  /\b(?:would|could|might|may|should)\s+have\s+(?:\w+\s+)?(?:decided|chosen|agreed|adopted|selected|rejected)\b/i,
  /\bagreed with\b/i,
  /\b(?:keine?|noch nicht|nicht)\b[^.,;]{0,40}\b(?:entscheidung|entschieden|beschlossen|beschluss)|\b(?:entscheidung|beschluss)\b[^.;]{0,30}\b(?:steht aus|offen|vertagt|verschoben)/i,
  /\baucune décision|n[’']a(?:vons)? (?:pas|rien)(?: encore)?(?: été)? décidé|ninguna decisión|no se (?:ha )?decidi|aún no/i,
  /(?:まだ決|未決定|決定していない|尚未决定|没有决定|未决定)/,
];

export const statesDecision = (text: string): boolean => statements.some((pattern) => pattern.test(text));
export const hasDecisionLabel = (text: string): boolean => labelled.test(text);
export const isDecisionHeading = (text: string): boolean => headings.test(text);
export const deniesDecision = (text: string): boolean => denials.some((pattern) => pattern.test(text));
