export { createApi } from "./api.ts";
export type { Api } from "./api.ts";
export { startApi } from "./process.ts";
export type { ApiProcess } from "./process.ts";
export type { ApiDeps, Boards, Decision } from "./deps.ts";
export { hashApiKey, newApiKey } from "./access/api-key.ts";
