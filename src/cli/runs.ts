import type { RunView } from "../api/index.ts";
import { moment } from "./format.ts";
import { table } from "./io.ts";
import { verb } from "./verb.ts";

export const runs = verb({
  name: "runs",
  help: `list runs with their metrics, newest first, or show one

usage: evenkeel runs [<id>] [--experiment <name>] [--limit <n>]

example:
  evenkeel runs --experiment loans`,
  options: { experiment: { type: "string" }, limit: { type: "string" } },
  async run({ positionals: [id], values }, { client, io }) {
    if (id) {
      const one = await client().get<unknown>(`/v1/runs/${encodeURIComponent(id)}`);
      io.out(JSON.stringify(one, null, values.json ? 0 : 2));
      return 0;
    }
    const { runs: all } = await client().get<{ readonly runs: readonly RunView[] }>("/v1/runs", {
      experiment: values.experiment,
      limit: values.limit ?? 50,
    });
    const metrics = (one: RunView) =>
      Object.entries(one.metrics)
        .map(([key, value]) => `${key} ${Number(value.toPrecision(4))}`)
        .join(", ");
    io.out(
      values.json
        ? JSON.stringify(all)
        : table(
            io,
            ["id", "experiment", "name", "status", "started", "metrics"],
            all.map((one) => [one.id, one.experiment, one.name, one.status, moment(one.startedAt), metrics(one)]),
          ),
    );
    return 0;
  },
});
