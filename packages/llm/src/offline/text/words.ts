/** Words of a text in lower case; for scripts without spaces, pairs of neighbouring characters. */
const stopWords = new Set(
  (
    "a an and are as at be been but by can could did do does for from had has have he her his how i if in into is it its may more most no not of on " +
    "one or our out over she should so some such than that the their them then there these they this to up us was we were what when where which " +
    "who why will with would you your all any each every also just only other about after before between under while because " +
    "der die das und oder ist sind war ein eine einen einem einer mit von zu zum zur im in den dem des für auf nicht auch als an aus bei " +
    "le la les un une des et ou est sont pour dans sur pas avec que qui el los las y es son por con para del al lo se"
  ).split(" "),
);

export function wordsOf(text: string): readonly string[] {
  const words: string[] = [];
  for (const [word] of text.toLowerCase().matchAll(/[\p{L}\p{N}][\p{L}\p{N}'’_-]*/gu)) {
    if (!/[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Thai}]/u.test(word))
      words.push(word);
    else for (let at = 0; at < Math.max(1, word.length - 1); at += 1) words.push(word.slice(at, at + 2));
  }
  return words;
}

/** Words that carry meaning: no stop words, no bare numbers, at least two characters. */
export function termsOf(text: string): readonly string[] {
  return wordsOf(text).filter((word) => word.length > 1 && !stopWords.has(word) && !/^\d+$/.test(word));
}
