/**
 * The port to metrics.
 *
 * 1. Names and labels are few and bounded: a label never carries an id.
 * 2. Recording never throws and never waits.
 */
export type MeterLabels = Readonly<Record<string, string>>;

export interface MeterPort {
  /** Adds to a counter; names end in `_total`. */
  count(name: string, labels?: MeterLabels, by?: number): void;
  /** Sets a gauge. */
  gauge(name: string, value: number, labels?: MeterLabels): void;
  /** Records one observation of a distribution; durations are in ms and names end in `_ms`. */
  observe(name: string, value: number, labels?: MeterLabels): void;
}

/** For logs: `event` is a short stable name, `fields` are ids and figures. */
export interface LogPort {
  debug(event: string, fields?: Readonly<Record<string, unknown>>): void;
  info(event: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(event: string, fields?: Readonly<Record<string, unknown>>): void;
  error(event: string, fields?: Readonly<Record<string, unknown>>): void;
}
