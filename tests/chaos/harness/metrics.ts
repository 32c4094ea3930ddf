/** One figure of a worker's /metrics: the sum over every label set that has the given labels; 0 when there is none. */
export async function metric(
  worker: { readonly url: string },
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<number> {
  const text = await (await fetch(`${worker.url}/metrics`)).text();
  const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  return text
    .split("\n")
    .filter((line) => new RegExp(`^${name}(?:[{ ])`).test(line) && wanted.every((part) => line.includes(part)))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
}
