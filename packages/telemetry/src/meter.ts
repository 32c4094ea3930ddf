/**
 * Metrics: core's MeterPort on OpenTelemetry, read as Prometheus text.
 *
 * 1. Nothing listens here: whoever has a port serves `text()`.
 * 2. An instrument is made at its first use; a name outside names.ts works, but has no help text.
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
export function createMeter(labels: Readonly<Record<string, string>> = {}): PrometheusMeter {
  const reader = new PrometheusExporter({ preventServerStart: true });
  const provider = new MeterProvider({ readers: [reader] });
  const source = provider.getMeter("baton");
  const serializer = new PrometheusSerializer("", false, undefined, true, true);
  const counters = new Map<string, Counter>();
  const gauges = new Map<string, Gauge>();
  const histograms = new Map<string, Histogram>();
  const described = (name: string) => ({ description: metrics[name] ?? "" });
  return {
    count(name, own = {}, by = 1) {
      instrument(counters, name, () => source.createCounter(name, described(name))).add(by, { ...labels, ...own });
    },
    gauge(name, value, own = {}) {
      instrument(gauges, name, () => source.createGauge(name, described(name))).record(value, { ...labels, ...own });
    },
    observe(name, value, own = {}) {
      const make = () =>
        source.createHistogram(name, { ...described(name), advice: { explicitBucketBoundaries: bucketsMs } });
      instrument(histograms, name, make).record(value, { ...labels, ...own });
    },
    async text() {
      const { resourceMetrics } = await reader.collect();
      return serializer.serialize(resourceMetrics);
    },
    close: () => provider.shutdown(),
  };
}

function instrument<T>(known: Map<string, T>, name: string, make: () => T): T {
  const found = known.get(name) ?? make();
  known.set(name, found);
  return found;
}
