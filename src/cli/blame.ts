import type { BlameReportView } from "../api/index.ts";
import { points } from "./format.ts";
import { styled, table } from "./io.ts";
import { UsageError, verb } from "./verb.ts";

export const blame = verb({
  name: "blame",
  help: `say which step moved the harm of an incident

usage: evenkeel blame <incident>

Shares are differences of selection rates in points, with 95 % intervals. Without a retraining, the model is one block.

example:
  evenkeel blame 7 --json`,
  options: {},
  async run({ positionals: [n], values }, { client, io }) {
    if (!n) throw new UsageError("which incident? `evenkeel incidents` lists them");
    const { reports } = await client().get<{ readonly reports: readonly BlameReportView[] }>(
      `/v1/incidents/${encodeURIComponent(n)}/blame`,
    );
    if (values.json) io.out(JSON.stringify(reports));
    else if (reports.length === 0) io.out("no report yet: nothing was put back to compare with, or it is being made");
    for (const { tier, parts, verdict } of values.json ? [] : reports) {
      io.out(styled(io, "bold", tier === 0 ? "from the recorded decisions alone" : "by training every mixture again"));
      io.out(
        table(
          io,
          ["step", "share", "95 %"],
          parts.map((part) => [part.step, points(part.share), `${points(part.low)} to ${points(part.high)}`]),
        ),
      );
      io.out(verdict);
    }
    return 0;
  },
});
