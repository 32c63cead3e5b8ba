/** Documents as CloudEvents 1.0, in a batch that is a Standard Webhooks payload as well. Pure. */
import { createHash } from "node:crypto";
import { timeOf, type SinkDocument } from "./document.ts";
import type { SinkBatch } from "./target.ts";

export const BATCH_CONTENT_TYPE = "application/cloudevents-batch+json; charset=utf-8";

/** One event. `source` and `id` together are one for ever: a receiver that has seen them has seen the event. */
export interface CloudEvent {
  readonly specversion: "1.0";
  readonly id: string;
  readonly source: string;
  readonly type: "evenkeel.decision.recorded.v1" | "evenkeel.outcome.recorded.v1";
  /** The decision that it is about. */
  readonly subject: string;
  readonly time: string;
  /** For receivers of Standard Webhooks: the same as `time`. */
  readonly timestamp: string;
  /** Its place in the log, as text that sorts. */
  readonly sequence: string;
  readonly datacontenttype: "application/json";
  readonly data: Omit<SinkDocument, "kind">;
}

/** @param installation - tells this database from others */
export function cloudEvent(document: SinkDocument, installation: string): CloudEvent {
  const { kind, ...data } = document;
  const time = timeOf(document);
  return {
    specversion: "1.0",
    id: document.id,
    source: `/evenkeel/${installation}/endpoints/${document.endpoint}`,
    type: `evenkeel.${kind}.recorded.v1`,
    subject: document.kind === "decision" ? document.id : document.decision,
    time,
    timestamp: time,
    sequence: String(document.seq).padStart(16, "0"),
    datacontenttype: "application/json",
    data,
  };
}

/** Names a batch, the same in every attempt, also after a crash. */
export function batchId(sink: string, { stream, after, upTo }: SinkBatch, installation: string): string {
  return `msg_${createHash("sha256").update([installation, sink, stream, after, upTo].join("\n")).digest("hex").slice(0, 32)}`;
}
