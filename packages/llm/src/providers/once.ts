/**
 * Loads at the first call, and not before: the SDKs take 0.2 s of processor time and 30 MB, and a process that calls no
 * provider is spared both.
 */
export function once<Value>(load: () => Promise<Value>): () => Promise<Value> {
  let loading: Promise<Value> | undefined;
  return () => (loading ??= load());
}
