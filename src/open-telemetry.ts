/**
 * Traces of requests for decisions, sent by OTLP over HTTP. Loaded only where OpenTelemetry's own variables ask for it: nothing else of
 * the product knows that SDK.
 */
import {
  DiagLogLevel,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  createTraceState,
  diag,
  trace,
  type Attributes,
  type Context,
  type Span,
  type Tracer,
} from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from "@opentelemetry/resources";
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
  type Sampler,
} from "@opentelemetry/sdk-trace";
import type { RequestSpan, RequestTracer, TracedRequest } from "./api/index.ts";
import { valueAt } from "./checked.ts";
import { parseTraceParent, traceParentText, type TraceAttributes, type TraceContext, type TraceStep } from "./serving/index.ts";
import { unreachable } from "./std.ts";

/** What of the environment the SDK doesn't read itself. */
export interface TracingOptions {
  readonly version: string;
  readonly sampler: SamplerSpec;
  readonly batch: {
    readonly maxExportBatchSize?: number;
    readonly scheduledDelayMillis?: number;
    readonly exportTimeoutMillis?: number;
    readonly maxQueueSize?: number;
  };
  /** Told, once a minute at most, that traces don't arrive. */
  readonly onTrouble: (error: Error) => void;
  readonly nowMs: () => number;
}
export interface SamplerSpec {
  readonly kind: "always_on" | "always_off" | "traceidratio";
  readonly ratio: number;
  /** Whoever asks decides, where the request says so. */
  readonly isParentBased: boolean;
}

/** Where traces go. What waits is bounded by the SDK; what doesn't arrive is left out. */
export interface Tracing {
  readonly tracer: RequestTracer;
  /** Sends what waits, for some seconds at most. */
  close(): Promise<void>;
}

const CLOSE_WITHIN_MS = 3000;
const TELL_EVERY_MS = 60_000;

export function openTracing(options: TracingOptions): Tracing {
  tellTrouble(options);
  const provider = new TracerProvider({
    resource: defaultResource()
      .merge(resourceFromAttributes({ "service.name": "evenkeel", "service.version": options.version }))
      .merge(detectResources({ detectors: [envDetector] })),
    sampler: samplerOf(options.sampler),
    spanProcessors: [new BatchSpanProcessor({ ...options.batch, exporter: new OTLPTraceExporter() })],
  });
  const tracer = provider.getTracer("evenkeel", options.version);
  return {
    tracer: { begin: (request) => beginRequest(tracer, request) },
    async close() {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, CLOSE_WITHIN_MS);
      });
      await Promise.race([provider.shutdown().catch(options.onTrouble), late]);
      clearTimeout(timer);
      diag.disable();
    },
  };
}

function beginRequest(tracer: Tracer, { method, route, path, endpoint, parent }: TracedRequest): RequestSpan {
  const span = tracer.startSpan(
    `${method} ${route}`,
    {
      kind: SpanKind.SERVER,
      attributes: {
        "http.request.method": method,
        "http.route": route,
        "url.path": path,
        "url.scheme": "http",
        ...(endpoint === undefined ? {} : { "evenkeel.endpoint": endpoint }),
      },
    },
    contextOf(parent),
  );
  const within = trace.setSpan(ROOT_CONTEXT, span);
  return {
    context: sentAlong(span),
    begin: (step, attributes) => beginStep(tracer, within, { step, attributes }),
    note: (attributes) => void span.setAttributes(attributes),
    end(status) {
      if (status === undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: "nobody waited for the answer" });
      else {
        span.setAttribute("http.response.status_code", status);
        if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR }).setAttribute("error.type", String(status));
      }
      span.end();
    },
  };
}

function beginStep(
  tracer: Tracer,
  within: Context,
  { step, attributes }: { readonly step: "score" | "commit"; readonly attributes: TraceAttributes },
): TraceStep {
  const kind = attributes["evenkeel.scorer.type"];
  const isCall = kind === "http" || kind === "container";
  const span = tracer.startSpan(step, { kind: isCall ? SpanKind.CLIENT : SpanKind.INTERNAL, attributes: asAttributes(attributes) }, within);
  return {
    context: sentAlong(span),
    end(trouble) {
      if (trouble !== undefined) span.setStatus({ code: SpanStatusCode.ERROR }).setAttribute("error.type", trouble);
      span.end();
    },
  };
}

const asAttributes = (attributes: TraceAttributes): Attributes => ({ ...attributes });

function contextOf(parent: TraceContext | undefined): Context {
  const parsed = parent && parseTraceParent(parent.traceparent);
  if (!parsed) return ROOT_CONTEXT;
  const { traceId, parentId: spanId, flags: traceFlags } = parsed;
  const state = parent.tracestate === undefined ? {} : { traceState: createTraceState(parent.tracestate) };
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags, isRemote: true, ...state });
}

function sentAlong(span: Span): TraceContext {
  const { traceId, spanId: parentId, traceFlags: flags, traceState } = span.spanContext();
  const tracestate = traceState?.serialize() ?? "";
  return { traceparent: traceParentText({ traceId, parentId, flags }), ...(tracestate === "" ? {} : { tracestate }) };
}

function samplerOf({ kind, ratio, isParentBased }: SamplerSpec): Sampler {
  const root = rootSampler(kind, ratio);
  return isParentBased ? new ParentBasedSampler({ root }) : root;
}

function rootSampler(kind: SamplerSpec["kind"], ratio: number): Sampler {
  switch (kind) {
    case "always_on":
      return new AlwaysOnSampler();
    case "always_off":
      return new AlwaysOffSampler();
    case "traceidratio":
      return new TraceIdRatioBasedSampler(ratio);
    default:
      return unreachable(kind);
  }
}

/** The SDK tells its troubles to one logger of the whole process. */
function tellTrouble({ onTrouble, nowMs }: TracingOptions): void {
  let toldMs = Number.NEGATIVE_INFINITY;
  const tell = (message: string) => {
    if (nowMs() - toldMs < TELL_EVERY_MS) return;
    toldMs = nowMs();
    onTrouble(new Error(`traces don't arrive: ${wordsOf(message)}`));
  };
  const silent = () => undefined;
  diag.setLogger({ error: tell, warn: tell, info: silent, debug: silent, verbose: silent }, DiagLogLevel.WARN);
}

/** The SDK says an error as JSON, its stack included. */
function wordsOf(message: string): string {
  try {
    const words = valueAt(JSON.parse(message), "/message");
    return typeof words === "string" ? words : message.slice(0, 500);
  } catch {
    return message.slice(0, 500); // words already
  }
}
