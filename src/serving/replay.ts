/** Deciding recorded decisions again with another release. Nothing is recorded, nobody is answered. */
import { setImmediate } from "node:timers/promises";
import type { CellKey, DecisionId } from "../std.ts";
import type { DecisionRequest } from "./inputs.ts";
import { answerOf, type Answer, type LoadedRelease } from "./loaded-release.ts";
import { ScorerError } from "./scorer.ts";

/** A decision as the log gives it back. */
export interface RecordedRequest {
  readonly id: DecisionId;
  /** The request's text as it was received. */
  readonly payload: string;
}

/** What the release says to a recorded request, or why it has no answer to it: also where the endpoint no longer takes such requests. */
export type ReplayedAnswer =
  | ({ readonly kind: "answered"; readonly id: DecisionId; readonly cell: CellKey } & Answer)
  | { readonly kind: "failed"; readonly id: DecisionId; readonly because: string };

/** Few: people who ask meanwhile wait for so many at the model, and for their bodies to be read. */
const RECORDS_AT_ONCE = 64;

/** Answers in the order of the records. Depends on nothing but the release and the records; gives way to decisions under way. */
export async function replay(release: LoadedRelease, records: readonly RecordedRequest[]): Promise<readonly ReplayedAnswer[]> {
  const answers: ReplayedAnswer[] = [];
  for (let at = 0; at < records.length; at += RECORDS_AT_ONCE) {
    answers.push(...(await replaySome(release, records.slice(at, at + RECORDS_AT_ONCE))));
    await setImmediate();
  }
  return answers;
}

async function replaySome(release: LoadedRelease, records: readonly RecordedRequest[]): Promise<readonly ReplayedAnswer[]> {
  const requests = records.map(({ payload }) => requestIn(release, payload));
  const valid = requests.filter((request) => typeof request !== "string");
  const scores = await release.scorer.scoreMany(valid.map(({ inputs }) => inputs));
  let next = 0;
  return records.map(({ id }, i): ReplayedAnswer => {
    const request = requests[i];
    if (request === undefined || typeof request === "string") return { kind: "failed", id, because: request ?? "no request" };
    const scored = scores[next++];
    if (scored === undefined || scored instanceof ScorerError) return { kind: "failed", id, because: scored?.message ?? "no score" };
    return { kind: "answered", id, cell: request.cell, ...answerOf(release, scored, request.groups) };
  });
}

/** The request, or what is wrong with it. */
function requestIn(release: LoadedRelease, payload: string): DecisionRequest | string {
  let body: unknown;
  try {
    body = JSON.parse(payload);
  } catch {
    return "the recorded request is no JSON";
  }
  const request = release.endpoint.parse(body);
  if (request.ok) return request.value;
  const [issue] = request.error;
  return `the endpoint no longer takes the request: ${issue?.path} expected ${issue?.expected}, got ${issue?.got}`;
}
