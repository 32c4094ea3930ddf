export { jsonPointer } from "./pointer.ts";
export { findUnstorable, jsonDepth } from "./storable.ts";
export { boundedText, wellFormed } from "./text.ts";
