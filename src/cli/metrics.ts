import type { EndpointMetricsView } from "../api/index.ts";
import { listText, metricsText } from "./metrics-text.ts";
import { UsageError, verb } from "./verb.ts";

export const metrics = verb({
  name: "metrics",
  help: `show how a release treats groups, from the counts of its decisions

usage: evenkeel metrics <endpoint> [--by <attributes>] [--metric <names>] [--from <time>] [--to <time>] [--release <r12>] [--arm <name>] [--against <what>]

For one look at one window; guardrails watch all the time. A dash is no number: why stands beside it. Attributes are separated by commas,
several together by a slash. Inputs, scores and the mix of groups are compared with the release's training data, with its first week
(--against launch), or with the same time a week before (--against previous); where training data says nothing, with the first week. Without
--from and --to: everything that was counted. Readers without protected:read get letters for groups, no small cells, and days that are over,
joined until no group is small. What each metric means: docs/metrics.md.

examples:
  evenkeel metrics loans
  evenkeel metrics loans --by sex,education,sex/education --from 2026-11-01 --to 2026-12-01
  evenkeel metrics loans --release r3 --arm canary --metric adverse_impact_ratio --json`,
  words: 1,
  options: {
    by: { type: "string" },
    metric: { type: "string" },
    from: { type: "string" },
    to: { type: "string" },
    release: { type: "string" },
    arm: { type: "string" },
    against: { type: "string" },
  },
  async run({ positionals: [endpoint], values }, { client, io }) {
    if (!endpoint) throw new UsageError("which endpoint?");
    const { by, metric, from, to, release, arm, against } = values;
    const found = await client().get<EndpointMetricsView>(`/v1/endpoints/${encodeURIComponent(endpoint)}/metrics`, {
      by,
      metric,
      from,
      to,
      release,
      arm,
      against,
    });
    if (values.json) io.out(JSON.stringify(found));
    else io.out(metric === undefined ? metricsText(io, found) : listText(io, found));
    return 0;
  },
});
