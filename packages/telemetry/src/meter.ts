/**
 * Metrics: core's MeterPort on OpenTelemetry, read as Prometheus text.
 *
 * 1. Nothing listens here: whoever has a port serves `text()`.
 * 2. An instrument is made at its first use; a name outside names.ts works, but has no help text.
 * 3. Counts and levels are added up here and reach OpenTelemetry when somebody reads: finding a series there sorts and
 *    prints its labels, which for a short step costs as much as the step.
 */
import type { Counter, Gauge, Histogram } from "@opentelemetry/api";
import type { MeterPort } from "@baton/core/ports";
import { PrometheusExporter, PrometheusSerializer } from "@opentelemetry/exporter-prometheus";
import { MeterProvider } from "@opentelemetry/sdk-metrics";
import { metrics } from "./names.ts";

/** From a model-free step (1 ms) to the longest model call (an hour). */
const bucketsMs = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000, 3_600_000];

export interface PrometheusMeter extends MeterPort {
  /** The exposition, format version 0.0.4. */
  text(): Promise<string>;
  close(): Promise<void>;
}

export const prometheusContentType = "text/plain; version=0.0.4; charset=utf-8";

/** @param labels on every sample, e.g. the service's name */
export function createMeter(labels: Labels = {}): PrometheusMeter {
  const reader = new PrometheusExporter({ preventServerStart: true });
  const provider = new MeterProvider({ readers: [reader] });
  const source = provider.getMeter("baton");
  const serializer = new PrometheusSerializer("", false, undefined, true, true);
  const counters = new Map<string, Counter>();
  const gauges = new Map<string, Gauge>();
  const histograms = new Map<string, Histogram>();
  const counts = new Map<string, Sample>();
  const levels = new Map<string, Sample>();
  const described = (name: string) => ({ description: metrics[name] ?? "" });
  const passOn = () => {
    for (const { name, own, value } of counts.values()) {
      const counter = instrument(counters, name, () => source.createCounter(name, described(name)));
      counter.add(value, { ...labels, ...own });
    }
    counts.clear();
    for (const { name, own, value } of levels.values()) {
      const gauge = instrument(gauges, name, () => source.createGauge(name, described(name)));
      gauge.record(value, { ...labels, ...own });
    }
    levels.clear();
  };
  return {
    count(name, own = {}, by = 1) {
      sampleOf(counts, name, own).value += by;
    },
    gauge(name, value, own = {}) {
      sampleOf(levels, name, own).value = value;
    },
    observe(name, value, own = {}) {
      const make = () =>
        source.createHistogram(name, { ...described(name), advice: { explicitBucketBoundaries: bucketsMs } });
      instrument(histograms, name, make).record(value, { ...labels, ...own });
    },
    async text() {
      passOn();
      const { resourceMetrics } = await reader.collect();
      return serializer.serialize(resourceMetrics);
    },
    close: () => provider.shutdown(),
  };
}

type Labels = Readonly<Record<string, string>>;

interface Sample {
  readonly name: string;
  readonly own: Labels;
  value: number;
}

function sampleOf(samples: Map<string, Sample>, name: string, own: Labels): Sample {
  let key = name;
  for (const label in own) key += `\n${label}=${own[label]}`;
  const known = samples.get(key);
  if (known !== undefined) return known;
  const sample = { name, own: { ...own }, value: 0 };
  samples.set(key, sample);
  return sample;
}

function instrument<T>(known: Map<string, T>, name: string, make: () => T): T {
  const found = known.get(name) ?? make();
  known.set(name, found);
  return found;
}
