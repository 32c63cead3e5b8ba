/** What a victim said on its standard output. */
import type { DecisionReply } from "../../src/serving/index.ts";
import { application, rightAction } from "./applications.ts";
import type { Acknowledged } from "./invariants.ts";

export interface Ack {
  readonly n: number;
  /** CLOCK_MONOTONIC, nanoseconds. */
  readonly atNs: string;
  readonly reply: Omit<DecisionReply, "id"> & { readonly id: string };
}
const asAck = (line: string): Ack => JSON.parse(line) as Ack;

/** A last line that was cut off acknowledged nothing. */
export const parseAcks = (output: string): readonly Ack[] =>
  output
    .split("\n")
    .slice(0, -1)
    .filter((line) => line.startsWith('{"n"'))
    .map(asAck);

export function acknowledged(run: string, { n, reply }: Pick<Ack, "n" | "reply">): Acknowledged {
  const { id, action, score, release, generation, route, decidedAt } = reply;
  return { id, payload: application(run, n).body, action, score, release, generation, route, decidedAtMs: Date.parse(decidedAt) };
}

/** Answers that are not what their release must say. */
export const wrongOf = (acks: readonly Ack[]): number =>
  acks.filter(({ n, reply }) => rightAction(reply.release, n) !== reply.action).length;
