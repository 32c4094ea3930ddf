/** The part of `total` that falls to one of `count` processes; the parts add up to the total. */
export function share(total: number, count: number, index: number): number {
  return Math.floor(((index + 1) * total) / count) - Math.floor((index * total) / count);
}
