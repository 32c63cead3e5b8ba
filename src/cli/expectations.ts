/** What an endpoint expects of its inputs: inferred from the data that its model was made with, and how it stands. */
import type { DatasetVersionDetailView, DatasetVersionView, ExpectationsView } from "../api/index.ts";
import { inferExpectations, type ExpectationSpec, type InputsSpec } from "../serving/index.ts";
import { moment, percent, plural } from "./format.ts";
import { styled, table, type Io } from "./io.ts";
import { UsageError, verb } from "./verb.ts";

export const expectations = verb({
  name: "expectations",
  help: `what an endpoint expects of its inputs beyond what it accepts, and how that stands today

usage: evenkeel expectations show <endpoint>
       evenkeel expectations infer <endpoint> --dataset <name@tag|name/number>

infer prints YAML to read, edit and paste into the endpoint's file; it changes nothing. show exits 3 when a warning was given today.

examples:
  evenkeel expectations infer loans --dataset credit@clean
  evenkeel expectations show loans`,
  words: 2,
  options: { dataset: { type: "string" } },
  async run({ positionals: [act, endpoint], values }, { client, io }) {
    if (!endpoint) throw new UsageError("show or infer, and of which endpoint?");
    const path = `/v1/endpoints/${encodeURIComponent(endpoint)}`;
    switch (act) {
      case "show": {
        const view = await client().get<ExpectationsView>(`${path}/expectations`);
        io.out(values.json ? JSON.stringify(view) : expectationsText(io, view));
        return isWarned(view) ? 3 : 0;
      }
      case "infer": {
        if (!values.dataset) throw new UsageError("from which version? --dataset credit@clean");
        const inputs = await client().get<InputsSpec>(`${path}/inputs`);
        const { dataset, number } = await client().get<DatasetVersionView>("/v1/dataset-version", { reference: values.dataset });
        const { columns, rows } = await client().get<DatasetVersionDetailView>(
          `/v1/datasets/${encodeURIComponent(dataset)}/versions/${number}`,
        );
        const yaml = inferExpectations(endpoint, inputs, { version: `${dataset}/${number}`, rows, columns });
        io.out(values.json ? JSON.stringify({ yaml }) : yaml.trimEnd());
        return 0;
      }
      default:
        throw new UsageError(`show or infer, not "${act}"`);
    }
  },
});

const isWarned = ({ expectations: all }: ExpectationsView) => all.some(({ breaches }) => breaches.some(({ state }) => state === "warned"));

function expectationsText(io: Io, { endpoint, expectations: all, refused, warnings }: ExpectationsView): string {
  if (all.length === 0) return `${endpoint} expects nothing beyond what it accepts: evenkeel expectations infer ${endpoint} --dataset …`;
  const rows = all.flatMap(({ name, spec, onBreach, isHidden, checked, breaches }) =>
    breaches.map(({ breach, count, share, limit, state }) => [
      name,
      isHidden ? "needs protected:read" : what(asSpec(spec), breach),
      onBreach,
      checked,
      count,
      share === null ? null : percent(share),
      limit === null ? null : percent(limit),
      state === "warned" || state === "beyond" ? styled(io, "yellow", state) : state,
    ]),
  );
  const last = warnings
    .slice(0, 10)
    .map(
      ({ expectation, breach, at, breached, checked, share, limit }) =>
        `${moment(at)}  ${expectation} (${breach}): ${breached.toLocaleString("en")} of ${plural(checked, "request")}, ${percent(share)} where ${percent(limit)} may`,
    );
  return [
    table(io, ["expectation", "expects", "on breach", "today", "breaches", "share", "limit", "state"], rows),
    ...(refused > 0 ? ["", `${plural(refused, "valid request")} refused since the server started`] : []),
    ...(last.length > 0 ? ["", "warnings of the last 30 days", ...last] : []),
  ].join("\n");
}

/** The server has checked it. */
const asSpec = (spec: unknown) => spec as ExpectationSpec;

function what(spec: ExpectationSpec, breach: string): string {
  if (!("input" in spec)) return spec.condition;
  switch (breach) {
    case "missing":
      return spec.required === true ? "is there" : `missing in up to ${percent(spec.missing ?? 0)}`;
    case "type":
      return `is a ${spec.type}`;
    case "below":
      return `≥ ${spec.min?.toLocaleString("en")}`;
    case "above":
      return `≤ ${spec.max?.toLocaleString("en")}`;
    default: {
      const { categories = [] } = spec;
      return `one of ${categories.slice(0, 4).join(", ")}${categories.length > 4 ? `, … (${categories.length})` : ""}`;
    }
  }
}
