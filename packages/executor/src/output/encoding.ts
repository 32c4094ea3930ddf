/**
 * From a performer's output, or the arguments of a tool, to the JSON text that is stored.
 *
 * 1. At most 32 MB; the error names the limit and the size.
 * 2. Lone surrogates are repaired; NUL, numbers that are not finite and what is not JSON are refused,
 *    naming the place: jsonb keeps none of them, and one such text fails a whole flush.
 */
import { BatonError } from "@baton/core";
import { findUnstorable } from "@baton/core/retry";

export const maxOutputBytes = 32 * 1024 * 1024;

type Refusal = "output-invalid" | "tool-output-invalid" | "tool-input-invalid";

export function encodeOutput(output: unknown, code: Refusal): string {
  const value = output === undefined ? null : output;
  const place = findUnstorable(value);
  const text = stringify(value, place, code);
  const bytes = Buffer.byteLength(text);
  if (bytes > maxOutputBytes) {
    const are = code === "tool-input-invalid" ? "The arguments have" : "The output has";
    const message = `${are} ${bytes} bytes; the limit is ${maxOutputBytes} (32 MB). Save it as an artifact, or split the step.`;
    throw new BatonError("payload-too-large", message, { details: { sizeBytes: bytes, limitBytes: maxOutputBytes } });
  }
  return text;
}

function stringify(value: unknown, place: string | undefined, code: Refusal): string {
  try {
    const text = JSON.stringify(value, place === undefined ? undefined : storable) as string | undefined;
    if (text !== undefined) return text;
  } catch (cause) {
    throw refused(code, place, cause);
  }
  throw refused(code, place, undefined);
}

function storable(_key: string, value: unknown): unknown {
  if (typeof value === "string") {
    if (value.includes("\0")) throw new TypeError("it holds a NUL character");
    return value.toWellFormed();
  }
  if (typeof value === "number" && !Number.isFinite(value)) throw new TypeError(`${value} has no form in JSON`);
  if (value instanceof Map || value instanceof Set) throw new TypeError("a Map or a Set has no form in JSON");
  return value;
}

function refused(code: Refusal, place: string | undefined, cause: unknown): BatonError {
  const why =
    cause instanceof RangeError
      ? "it is nested too deeply"
      : cause instanceof Error
        ? cause.message
        : "it has no form in JSON";
  const [what, fix] = code === "tool-input-invalid" ? ["The argument", "Pass"] : ["The output", "Return"];
  const where = place === undefined || place === "" ? what : `${what} at ${place}`;
  return new BatonError(code, `${where} cannot be stored: ${why}. ${fix} plain JSON.`, { cause });
}
