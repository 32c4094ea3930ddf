/**
 * Text with every lone surrogate and every NUL replaced by U+FFFD.
 *
 * PostgreSQL refuses both in jsonb (22P05, 22021), and one such text fails a whole flush.
 */
export function wellFormed(text: string): string {
  return text.toWellFormed().replaceAll("\0", "\uFFFD");
}

/** Well-formed text of at most `maxChars` UTF-16 units, cut between characters, saying how much is missing. */
export function boundedText(text: string, maxChars: number): string {
  if (text.length <= maxChars) return wellFormed(text);
  const last = text.charCodeAt(maxChars - 1);
  const splitsPair = last >= 0xd800 && last <= 0xdbff;
  const end = splitsPair ? maxChars - 1 : maxChars;
  return `${wellFormed(text.slice(0, end))}… (${text.length - end} more characters)`;
}
