/**
 * One named stage of the pipeline: a bounded queue in front of a bounded number of places.
 *
 * 1. At most `width` pieces of work run and at most `queue` wait; a further one waits in `admit`, and with
 *    it the stage before, which still holds its place: that is the back-pressure.
 * 2. First come, first served.
 * 3. Depth, wait and service time of every stage are reported under one set of names.
 */
import type { MeterPort } from "@baton/core/ports";

export interface StageOptions {
  readonly name: string;
  readonly width: number;
  readonly queue: number;
  readonly meter: MeterPort;
  /** Milliseconds of a monotonic clock. */
  readonly monotonic: () => number;
}

/** A seat in a stage's queue. */
export interface Ticket {
  /** Takes the seat to a place as soon as one is free, and gives both back when `work` has ended. */
  run<T>(work: () => Promise<T>): Promise<T>;
  /** The same for work that lasts: nothing of the stage is kept but the function that gives seat and place back. */
  enter(): Promise<() => void>;
}

export interface Stage {
  readonly name: string;
  readonly depth: number;
  admit(): Promise<Ticket>;
}

/** Counts permits; waiting callers are served in order. */
function permits(count: number) {
  let free = count;
  const waiting: (() => void)[] = [];
  return {
    async take(): Promise<void> {
      if (free > 0) {
        free -= 1;
        return;
      }
      await new Promise<void>((resolve) => waiting.push(resolve));
    },
    give(): void {
      const next = waiting.shift();
      if (next === undefined) free += 1;
      else next();
    },
  };
}

export function createStage({ name, width, queue, meter, monotonic }: StageOptions): Stage {
  const seats = permits(width + queue);
  const places = permits(width);
  const labels = { stage: name };
  let depth = 0;
  const moved = (by: number) => {
    depth += by;
    meter.gauge("baton_stage_depth", depth, labels);
  };
  return {
    name,
    get depth() {
      return depth;
    },
    async admit() {
      const askedAt = monotonic();
      await seats.take();
      moved(1);
      const enter = async (): Promise<() => void> => {
        await places.take();
        const startedAt = monotonic();
        meter.observe("baton_stage_wait_ms", startedAt - askedAt, labels);
        return () => {
          meter.observe("baton_stage_service_ms", monotonic() - startedAt, labels);
          places.give();
          seats.give();
          moved(-1);
        };
      };
      return {
        enter,
        async run(work) {
          const leave = await enter();
          try {
            return await work();
          } finally {
            leave();
          }
        },
      };
    },
  };
}
