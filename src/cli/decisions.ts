import type { DecisionDetailView, DecisionPageView } from "../api/index.ts";
import { milliseconds, moment } from "./format.ts";
import { table } from "./io.ts";
import { PAGE, UsageError, verb, wholeNumber } from "./verb.ts";

export const decisions = verb({
  name: "decisions",
  help: `show recorded decisions, newest first, or one of them

usage: evenkeel decisions <endpoint> [<id>] [--release <r12>] [--action <name>] [--limit <n>] [--after <seq>]

Groups and requests are shown to readers with protected:read.

examples:
  evenkeel decisions loans --release r1 --action refer
  evenkeel decisions loans 019ab3c4-0000-7000-8000-000000000000`,
  words: 2,
  options: { release: { type: "string" }, action: { type: "string" }, limit: { type: "string" }, after: { type: "string" } },
  async run({ positionals: [endpoint, id], values }, { client, io }) {
    if (!endpoint) throw new UsageError("which endpoint?");
    const path = `/v1/endpoints/${encodeURIComponent(endpoint)}/decisions`;
    if (id) {
      const one = await client().get<DecisionDetailView>(`${path}/${encodeURIComponent(id)}`);
      io.out(values.json ? JSON.stringify(one) : JSON.stringify(one, null, 2));
      return 0;
    }
    const page = await client().get<DecisionPageView>(path, {
      release: values.release,
      action: values.action,
      limit: wholeNumber("--limit", values.limit ?? "20", PAGE),
      after: values.after,
    });
    if (values.json) io.out(JSON.stringify(page));
    else {
      const rows = page.decisions.map((one) => [
        one.seq,
        moment(one.decidedAt),
        one.release,
        one.route,
        one.action,
        one.score === null ? null : one.score.toFixed(3),
        milliseconds(one.latencyMs),
        one.id,
      ]);
      io.out(table(io, ["seq", "decided", "release", "route", "action", "score", "took", "id"], rows, "no decision yet"));
      if (page.next !== null) io.note(`older ones: evenkeel decisions ${endpoint} --after ${page.next}`);
    }
    return 0;
  },
});
