/** What of a message the writer asks for: without code, quotations, stories, and words to whoever decides. */
import { requests } from "./vocabulary.ts";

const fenced = /```[\s\S]*?(?:```|$)/g;
const quotedLines = /^[ \t]*>.*$/gm;
const quotations =
  /"[^"\n]{1,1000}"|“[^”\n]{1,1000}”|„[^“”\n]{1,1000}[“”]|«[^»\n]{1,1000}»|»[^«\n]{1,1000}«|「[^」\n]{1,1000}」|『[^』\n]{1,1000}』/g;
const objects = /\{[^{}]{0,1000}\}/g;
const rule = /^[ \t]*(?:-{3,}|={3,}|\*{3,})[ \t]*$/m;
/** Somebody else's words are to be acted on, not looked at. */
const takeOver =
  /(?<!\p{L})(?:do (?:it|this|that|so)|mach(?:e)? (?:das|es)|erledige das|fais-le|faites-le|hazlo|fallo|faça isso|сделай это)(?!\p{L})|照做|これをやって|이대로 해/iu;
const toTheDecider =
  /orchestrat|classif|^\W*system\W|<\/?\w{1,20}>|(?<!\p{L})(?:ignor|disregard|forget|vergiss|oublie|olvida|dimentica|esqueça)\p{L}*\s[^.!?]{0,40}(?:instruction|rule|prompt|regel|anweisung|instrucci|règle|consigne|regole|istruzion|regras)|(?:忽略|无视)[^。！？]{0,20}(?:指令|规则)|(?:指示|ルール)を?無視/iu;

export const isQuestion = (text: string): boolean => /[?？؟]\s*["”»)]*\s*$|か。?\s*$/u.test(text);

/** In the order of the message; never empty unless the message is. */
export function ownWords(message: string): string {
  const acts = takeOver.test(message.replace(quotedLines, " "));
  const bare = acts ? message : withoutMaterial(message);
  const sentences = bare
    .split(/(?<=[.!?؟][)\]"”»]?)\s+|(?<=[。！？])|\n/u)
    .filter((each) => /[\p{L}\p{N}]/u.test(each));
  const kept = sentences.filter((sentence) => !toTheDecider.test(sentence));
  const asking = kept.filter((sentence) => !isStory(sentence));
  return [asking, kept, sentences].find((each) => each.length > 0)?.join("\n") ?? message;
}

function withoutMaterial(message: string): string {
  const text = message.replace(fenced, "\n").replace(quotedLines, "").replace(objects, " ").replace(quotations, " ");
  const [above = "", ...below] = text.split(rule);
  const head = below.length > 0 && /\p{L}/u.test(above) ? above : text;
  // A question with lines below it is about them, unless it asks for something to be done.
  const [question = "", ...lines] = head.trim().split("\n");
  return lines.length > 0 && isQuestion(question) && !requests.test(question) ? question : head;
}

const storyBegins =
  /^\W*(?:(?:so|and|but|well|yesterday|today|hier|gestern|ayer|heute|вчера)[\s,]+){0,2}(?:i|i['’](?:m|ve|d)|we|we['’]ve|my|our|ich|wir|mein\p{L}*|unser\p{L}*|je|j['’]\p{L}+|nous|mon|ma|mes|notre|on|yo|mi|mis|nuestr\p{L}+|io|noi|eu|nós|meu|minha|я|мы|мой|моя|наш\p{L}*|я уже)(?![\p{L}'’])|^我们?|^私/iu;
const wish =
  /(?<!\p{L})(?:need|want|would like|['’]d like|brauche\p{L}*|möchte\p{L}*|will|hätte\p{L}* gern|veux|voudrais|besoin|aimerais|quiero|necesito|quisiera|voglio|vorrei|preciso|quero|gostaria|хочу|нужн\p{L}*)(?!\p{L})|需要|想要|想让|我要|欲しい|してほしい/iu;
/** Japanese tells in the past or present with these endings, and asks with others. */
const storyEnds = /(?:ました|でした|ています)(?:が[^。]{0,60})?。\s*$/u;

function isStory(sentence: string): boolean {
  if (isQuestion(sentence) || wish.test(sentence)) return false;
  return storyBegins.test(sentence) || storyEnds.test(sentence);
}
