/**
 * Logs: one JSON line per event, on standard error unless told otherwise (standard output is for data).
 *
 * 1. `event` is a short stable name; ids and figures are fields; an error keeps its causes.
 * 2. What looks like a secret is never written.
 */
import type { LogPort } from "@baton/core/ports";
import { pino } from "pino";
import type { DestinationStream } from "pino";

export type LogLevel = "debug" | "info" | "warn" | "error" | "silent";

export interface LogOptions {
  readonly level: LogLevel;
  /** On every line, e.g. service and session. */
  readonly fields?: Readonly<Record<string, unknown>>;
  readonly destination?: DestinationStream;
}

const secrets = [
  "apiKey",
  "authorization",
  "password",
  "token",
  "*.apiKey",
  "*.authorization",
  "*.password",
  "*.token",
];

export function createLog({ level, fields = {}, destination }: LogOptions): LogPort {
  const logger = pino(
    {
      level,
      base: { pid: process.pid, ...fields },
      messageKey: "event",
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: pino.stdSerializers.err },
      redact: { paths: secrets, censor: "***" },
    },
    destination ?? pino.destination({ dest: 2, sync: true }),
  );
  return {
    debug: (event, own = {}) => logger.debug(own, event),
    info: (event, own = {}) => logger.info(own, event),
    warn: (event, own = {}) => logger.warn(own, event),
    error: (event, own = {}) => logger.error(own, event),
  };
}
