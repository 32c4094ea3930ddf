/** Time limits around calls to a backend that may never answer. */

/**
 * The promise's own outcome, or `late()`'s (an error, unless given) when it takes longer than `limitMs`.
 *
 * After the timer the event loop polls once more before `late` decides: when the process itself was
 * busy for longer than the limit, the answer may already lie in the socket.
 */
export async function within<T>(
  limitMs: number,
  promise: Promise<T>,
  late: () => T | Promise<T> = () => {
    throw new Error(`no answer within ${limitMs} ms`);
  },
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const expired = new Promise<T>((resolve, reject) => {
    timer = setTimeout(() => {
      setImmediate(() => {
        Promise.resolve().then(late).then(resolve, reject);
      });
    }, limitMs);
  });
  // A rejection that comes after the limit has no other owner.
  promise.catch(() => undefined);
  expired.catch(() => undefined);
  try {
    return await Promise.race([promise, expired]);
  } finally {
    clearTimeout(timer);
  }
}
