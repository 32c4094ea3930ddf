import { BatonError } from "@baton/core";

/** `tool-input-invalid` about one argument: nothing was done. */
export function inputInvalid(field: string, detail: string, cause?: unknown): BatonError {
  const pointer = field === "" ? "" : `/${field}`;
  return new BatonError("tool-input-invalid", field === "" ? detail : `${field}: ${detail}`, {
    cause,
    problems: [{ pointer, detail }],
    details: { sent: false },
  });
}

/** The same for an argument that would leave the workspace. `path` is as the caller gave it, never a real path. */
export function pathOutside(path: string, why: string, field = "path"): BatonError {
  const detail = `"${path.replaceAll("\0", "\\0")}" ${why}; give a path relative to the workspace folder`;
  return new BatonError("path-outside-workspace", `${field}: ${detail}.`, {
    problems: [{ pointer: `/${field}`, detail }],
    details: { sent: false },
  });
}
