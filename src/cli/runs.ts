/** Runs: listed, looked at, put side by side. */
import type { RunComparisonView, RunDetailView, RunPageView, RunView } from "../api/index.ts";
import { moment } from "./format.ts";
import { styled, table, type Io } from "./io.ts";
import { PAGE, UsageError, verb, wholeNumber } from "./verb.ts";

export const runs = verb({
  name: "runs",
  help: `show and compare training runs

usage: evenkeel runs ls [--experiment <name>] [--limit <n>] [--before <id>]
       evenkeel runs show <id>
       evenkeel runs compare <id> <id>… [--all]
       evenkeel runs delete <id>

compare shows what differs; --all what is the same as well.

examples:
  evenkeel runs ls --experiment loans
  evenkeel runs compare 0198c2… 0198c4…`,
  words: 102,
  options: { experiment: { type: "string" }, limit: { type: "string" }, before: { type: "string" }, all: { type: "boolean" } },
  async run({ positionals: [act, ...ids], values }, { client, io }) {
    const show = <T>(view: T, text: (view: T) => string) => io.out(values.json ? JSON.stringify(view) : text(view));
    switch (act) {
      case "ls":
      case undefined: {
        const { experiment, before } = values;
        const limit = wholeNumber("--limit", values.limit ?? "20", PAGE);
        const page = await client().get<RunPageView>("/v1/runs", { experiment, before, limit });
        show(page, ({ runs: all }) => listText(io, all));
        if (page.next !== null && !values.json) io.note(`older ones: evenkeel runs ls --before ${page.next}`);
        return 0;
      }
      case "show": {
        const [id] = ids;
        if (!id) throw new UsageError("which run? `evenkeel runs ls` shows their ids");
        show(await client().get<RunDetailView>(`/v1/runs/${encodeURIComponent(id)}`), (view) => runText(io, view));
        return 0;
      }
      case "compare": {
        if (ids.length < 2) throw new UsageError("two runs or more are needed");
        const view = await client().get<RunComparisonView>("/v1/run-comparison", { runs: ids.join(",") });
        show(view, () => comparisonText(io, view, values.all ?? false));
        return 0;
      }
      case "delete": {
        const [id] = ids;
        if (!id) throw new UsageError("which run? `evenkeel runs ls` shows their ids");
        await client().delete(`/v1/runs/${encodeURIComponent(id)}`);
        show({ deleted: id }, () => `run ${id} is gone`);
        return 0;
      }
      default:
        throw new UsageError(`runs can ls, show, compare or delete, not "${act}"`);
    }
  },
});

const valueText = (value: string | number | boolean | null) =>
  typeof value === "number" && !Number.isInteger(value) ? String(Number(value.toPrecision(5))) : value === null ? "–" : String(value);
const pairs = (values: Readonly<Record<string, string | number | boolean>>, most: number) => {
  const all = Object.entries(values).map(([key, value]) => `${key} ${valueText(value)}`);
  return all.length > most ? `${all.slice(0, most).join(", ")}, …` : all.join(", ");
};
const statusText = (io: Io, status: RunView["status"]) =>
  styled(io, ({ running: "yellow", scheduled: "yellow", finished: "green", failed: "red", killed: "red" } as const)[status], status);
const lastedText = ({ startedAt, endedAt }: RunView) =>
  endedAt === null ? "" : `${((Date.parse(endedAt) - Date.parse(startedAt)) / 1000).toFixed(1)} s`;

function listText(io: Io, all: readonly RunView[]): string {
  const rows = all.map((run) => [
    run.id,
    run.experiment,
    run.name,
    statusText(io, run.status),
    moment(run.startedAt),
    lastedText(run),
    pairs(run.metrics, 3),
  ]);
  return table(io, ["run", "experiment", "name", "status", "started", "took", "metrics"], rows, "no run");
}

function runText(io: Io, run: RunDetailView): string {
  const keyed = (values: Readonly<Record<string, string | number | boolean>>) =>
    Object.entries(values).map(([key, value]) => [key, valueText(value)]);
  const nodes = (all: RunDetailView["inputs"]) => all.map(({ kind, id }) => [kind.replaceAll("_", " "), id]);
  const part = (columns: readonly string[], rows: readonly (readonly (string | number)[])[]) =>
    rows.length > 0 ? ["", table(io, columns, rows)] : [];
  return [
    `${styled(io, "bold", run.name)}  ${run.experiment}  ${statusText(io, run.status)}`,
    run.id,
    `started ${moment(run.startedAt)} by ${run.createdBy}${run.endedAt ? `, took ${lastedText(run)}` : ""}`,
    ...part(["parameter", "value"], keyed(run.params)),
    ...part(["metric", "value"], keyed(run.metrics)),
    ...part(["tag", "value"], keyed(run.tags)),
    ...part(
      ["artifact", "bytes", "blob"],
      run.artifacts.map(({ path, bytes, blob }) => [path, bytes, blob.slice(0, 19)]),
    ),
    ...part(["made from", "id"], nodes(run.inputs)),
    ...part(["made", "id"], nodes(run.outputs)),
  ].join("\n");
}

function comparisonText(io: Io, { runs: all, params, metrics }: RunComparisonView, isWhole: boolean): string {
  const heads = all.map(({ name, id }) => (all.some((one) => one.name === name && one.id !== id) ? `${name} ${id.slice(-4)}` : name));
  const rows = (compared: RunComparisonView["params"] | RunComparisonView["metrics"]) =>
    compared.filter(({ differs }) => isWhole || differs).map(({ key, values }) => [key, ...values.map(valueText)]);
  const same = [...params, ...metrics].filter(({ differs }) => !differs).length;
  return [
    table(io, ["parameter", ...heads], rows(params), "no parameter differs"),
    "",
    table(io, ["metric", ...heads], rows(metrics), "no metric differs"),
    ...(same > 0 && !isWhole
      ? ["", styled(io, "dim", `${same} more ${same === 1 ? "is" : "are"} the same: --all shows ${same === 1 ? "it" : "them"}`)]
      : []),
  ].join("\n");
}
