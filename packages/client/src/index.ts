/**
 * The typed client of the HTTP API.
 *
 * Purpose: what the command line, the dashboard, tests and users call. Boundary: knows the contracts, the pure layout
 * of a task and `fetch`, nothing of the server's inside; runs in Node and in browsers.
 */
export { createClient } from "./client.ts";
export type { BatonClient, DownloadedArtifact } from "./client.ts";
export { BatonClientError } from "./error.ts";
export type { ChatAnswer, UiPart } from "./chat.ts";
export type { FollowOptions } from "./follow.ts";
export type { ClientOptions, RequestInput, RequestOptions } from "./request.ts";
export { readServerSentEvents } from "./server-sent-events.ts";
export type { ServerSentEvent } from "./server-sent-events.ts";
export type { Transaction, TransactionOptions } from "./transaction.ts";
