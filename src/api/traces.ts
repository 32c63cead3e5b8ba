/** Which trace a request belongs to: the one that its caller began, or, where traces are on, the part of it that is begun here. */
import type { FastifyReply, FastifyRequest } from "fastify";
import { traceContextIn, type RequestTrace, type TraceContext } from "../serving/index.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Of requests for decisions, where traces are on. */
    span: RequestSpan | undefined;
  }
}

/** Begins spans of requests. There is none where traces are off. */
export interface RequestTracer {
  begin(request: TracedRequest): RequestSpan;
}

/** What may be told of a request: nothing of its body, and nothing that its address asks for. */
export interface TracedRequest {
  readonly method: string;
  /** As it was declared: `/v1/endpoints/:endpoint/decisions`. */
  readonly route: string;
  readonly path: string;
  readonly endpoint: string | undefined;
  /** What its caller sent along. */
  readonly parent: TraceContext | undefined;
}

export interface RequestSpan extends RequestTrace {
  /** @param status - of the answer; undefined where nobody waited for it */
  end(status: number | undefined): void;
}

/** A hook by which every request for a decision is a span, until its answer is sent or nobody waits for it any more. */
export const tracingDecisions =
  (tracer: RequestTracer) =>
  async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const { config, url: route = "" } = request.routeOptions;
    if (config.right !== "decide") return;
    const { params } = request;
    const endpoint = typeof params === "object" && params !== null && "endpoint" in params ? params.endpoint : undefined;
    const span = tracer.begin({
      method: request.method,
      route,
      path: request.url.split("?")[0] ?? "",
      endpoint: typeof endpoint === "string" ? endpoint : undefined,
      parent: traceContextIn(request.headers),
    });
    request.span = span;
    reply.raw.once("close", () => span.end(reply.raw.writableFinished ? reply.statusCode : undefined));
  };

/** For the gateway: also where traces are off, what the caller sent goes along to model servers. */
export function traceOf(request: FastifyRequest): { readonly trace: RequestTrace } | undefined {
  if (request.span !== undefined) return { trace: request.span };
  if (request.headers["traceparent"] === undefined) return undefined;
  const context = traceContextIn(request.headers);
  return context && { trace: { context } };
}
