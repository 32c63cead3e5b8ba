/** Whether OpenTelemetry's variables ask for traces, and what they say that its SDK doesn't read itself. */
import type { SamplerSpec, Tracing, TracingOptions } from "../open-telemetry.ts";
import { systemRuntime } from "../store/index.ts";
import { UsageError } from "./verb.ts";

type Environment = Readonly<Record<string, string | undefined>>;

const SAMPLERS = ["always_on", "always_off", "traceidratio"] as const;

/** Off unless an endpoint is named or `otlp` is: then, and only then, is the SDK loaded. @throws UsageError for what can't be had */
export async function tracingAsked(
  env: Environment,
  { version, onTrouble }: Pick<TracingOptions, "version" | "onTrouble">,
): Promise<Tracing | undefined> {
  if (!isAsked(env)) return undefined;
  const protocol = said(env, "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") ?? said(env, "OTEL_EXPORTER_OTLP_PROTOCOL") ?? "http/protobuf";
  if (protocol !== "http/protobuf")
    throw new UsageError(`traces are sent as http/protobuf, which every receiver of OTLP takes, not as "${protocol}"`);
  const sampler = samplerIn(env);
  const batch = Object.fromEntries(
    Object.entries(BATCH).flatMap(([option, name]) => {
      const value = numberIn(env, name, { min: 1, max: 1e9 });
      return value === undefined ? [] : [[option, value]];
    }),
  );
  const { openTracing } = await import("../open-telemetry.ts");
  const { clock } = systemRuntime();
  return openTracing({ version, sampler, batch, onTrouble, nowMs: () => clock.nowMs() });
}

function isAsked(env: Environment): boolean {
  if (said(env, "OTEL_SDK_DISABLED")?.toLowerCase() === "true") return false;
  const exporter = said(env, "OTEL_TRACES_EXPORTER");
  if (exporter === "none") return false;
  if (exporter !== undefined && exporter !== "otlp") throw new UsageError(`OTEL_TRACES_EXPORTER takes otlp or none, not "${exporter}"`);
  const endpoint = said(env, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") ?? said(env, "OTEL_EXPORTER_OTLP_ENDPOINT");
  if (endpoint !== undefined && !(URL.canParse(endpoint) && /^https?:$/.test(new URL(endpoint).protocol)))
    throw new UsageError(`OTEL_EXPORTER_OTLP_ENDPOINT takes an address such as http://127.0.0.1:4318, not "${endpoint}"`);
  return exporter === "otlp" || endpoint !== undefined;
}

const BATCH = {
  maxExportBatchSize: "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
  scheduledDelayMillis: "OTEL_BSP_SCHEDULE_DELAY",
  exportTimeoutMillis: "OTEL_BSP_EXPORT_TIMEOUT",
  maxQueueSize: "OTEL_BSP_MAX_QUEUE_SIZE",
} as const satisfies Record<keyof TracingOptions["batch"], string>;

function samplerIn(env: Environment): SamplerSpec {
  const name = said(env, "OTEL_TRACES_SAMPLER") ?? "parentbased_always_on";
  const isParentBased = name.startsWith("parentbased_");
  const kind = SAMPLERS.find((one) => one === name.replace(/^parentbased_/, ""));
  if (kind === undefined)
    throw new UsageError(`OTEL_TRACES_SAMPLER takes ${SAMPLERS.join(", ")}, each also with parentbased_ before it, not "${name}"`);
  return { kind, isParentBased, ratio: numberIn(env, "OTEL_TRACES_SAMPLER_ARG", { min: 0, max: 1 }) ?? 1 };
}

function numberIn(env: Environment, name: string, { min, max }: { readonly min: number; readonly max: number }): number | undefined {
  const text = said(env, name);
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!(value >= min && value <= max)) throw new UsageError(`${name} takes a number from ${min} to ${max}, not "${text}"`);
  return value;
}

/** An empty variable is one that isn't set. */
const said = (env: Environment, name: string): string | undefined => (env[name]?.trim() ? env[name]?.trim() : undefined);
