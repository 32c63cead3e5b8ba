/** One page about an endpoint and a period, for those who have to answer for it. */
import type { KeptReportView, ReportView } from "../api/index.ts";
import { moment, plural } from "./format.ts";
import { table } from "./io.ts";
import { writeNewFile } from "./new-file.ts";
import { UsageError, verb } from "./verb.ts";

/** Much is counted for it. */
const SLOW = { timeoutMs: 10 * 60_000 };

export const report = verb({
  name: "report",
  help: `write one HTML page about an endpoint and a period: decisions, groups, outcomes, guardrails, incidents, who changed what, and what can't be told

usage: evenkeel report <endpoint> [--from <day>] [--to <day>] [--out <file>] [--force]
       evenkeel report ls <endpoint>
       evenkeel report get <endpoint> <id> [--out <file>] [--force]

  --from   first day, YYYY-MM-DD (UTC); 30 days before the end when left out
  --to     first day that isn't in it; tomorrow when left out (for a token that may not see groups, whole weeks and months that are over)
  --out    where to write it; report-<endpoint>-<from>-<to>.html when left out
  --force  write over a file that is there

The page needs no network and opens anywhere. A token without protected:read gets letters for groups and no small ones. With
\`reports: { every: month }\` (or week) in the endpoint's document reports are made by themselves and kept: ls shows them, get writes one.

examples:
  evenkeel report loans --from 2026-11-01 --to 2026-12-01
  evenkeel report ls loans`,
  words: 3,
  options: { from: { type: "string" }, to: { type: "string" }, out: { type: "string" }, force: { type: "boolean" } },
  async run({ positionals, values }, { client, io, cwd }) {
    const [first, second, third] = positionals;
    if (!first) throw new UsageError("of which endpoint?");
    const path = (endpoint: string) => `/v1/endpoints/${encodeURIComponent(endpoint)}`;
    if (first === "ls") {
      if (!second) throw new UsageError("reports of which endpoint?");
      const view = await client().get<{ readonly schedule: string | null; readonly reports: readonly KeptReportView[] }>(
        `${path(second)}/reports`,
      );
      const empty =
        view.schedule === null
          ? "none: `reports: { every: month }` in the endpoint's document makes one by itself every month"
          : `none yet: the first is made when the ${view.schedule} is over`;
      const rows = view.reports.map(({ id, schedule, from, to, madeAt }) => [id, schedule, from, to, moment(madeAt)]);
      io.out(values.json ? JSON.stringify(view) : table(io, ["id", "every", "from", "up to", "made"], rows, empty));
      return 0;
    }
    const isKept = first === "get";
    if (isKept && (!second || !third)) throw new UsageError("which report of which endpoint? evenkeel report ls <endpoint>");
    if (!isKept && second) throw new UsageError(`"${second}" is too much`);
    if (isKept && (values.from !== undefined || values.to !== undefined)) throw new UsageError("a kept report has its own days");
    const endpoint = isKept ? (second ?? "") : first;
    const query = isKept ? { id: third } : { from: values.from, to: values.to };
    const view = await client().get<ReportView>(`${path(endpoint)}/report`, query, SLOW);
    if (values.json) {
      io.out(JSON.stringify(view));
      return 0;
    }
    const file = values.out ?? `report-${endpoint}-${view.from}-${view.to}.html`;
    // The days that were meant, also where they were left out.
    const page = await client().getText(`${path(endpoint)}/report/page`, isKept ? query : { from: view.from, to: view.to });
    await writeNewFile(cwd, file, page, values.force ?? false);
    io.out(`${file}: ${plural(view.decisions.total, "decision")}, ${view.from} up to ${view.to}`);
    return 0;
  },
});
