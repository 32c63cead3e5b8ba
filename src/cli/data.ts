import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { DatasetVersionView } from "../api/index.ts";
import { moment } from "./format.ts";
import { table } from "./io.ts";
import { UsageError, verb } from "./verb.ts";

const path = (dataset: string) => `/v1/datasets/${encodeURIComponent(dataset)}`;

export const data = verb({
  name: "data",
  help: `add, list, compare and tag versions of datasets

usage: evenkeel data add <file.csv> --dataset <name> [--key <column>] [--label <column>] [--protected <column>]… [--tag <tag>] [--reason <text>]
       evenkeel data ls [<dataset>]
       evenkeel data diff <name@tag> <name@tag>
       evenkeel data tag <dataset> <tag> <number> --reason <text>

examples:
  evenkeel data add loans.csv --dataset loans --key id --label repaid --protected sex --tag v1
  evenkeel data diff loans@v1 loans@v2 --json`,
  options: {
    dataset: { type: "string" },
    key: { type: "string" },
    label: { type: "string" },
    protected: { type: "string", multiple: true },
    tag: { type: "string" },
    reason: { type: "string" },
  },
  async run({ positionals: [act, first, second, third], values }, { client, io, cwd }) {
    switch (act) {
      case "add": {
        if (!first || !values.dataset) throw new UsageError("a file and --dataset are needed");
        const declared = {
          ...(values.key ? { key: [values.key] } : {}),
          ...(values.label ? { label: { column: values.label } } : {}),
          ...(values.protected ? { protected: values.protected.map((column) => ({ column })) } : {}),
        };
        const spec = Object.keys(declared).length > 0 ? JSON.stringify(declared) : undefined;
        const added = await client().put<DatasetVersionView>(`${path(values.dataset)}/versions`, await readFile(resolve(cwd, first)), {
          query: { spec, tag: values.tag, reason: values.reason },
        });
        io.out(
          values.json
            ? JSON.stringify(added)
            : `${added.dataset}/${added.number}${added.isNew ? "" : " (known already)"}  ${added.rows.toLocaleString("en")} rows  ${added.id}`,
        );
        return 0;
      }
      case "ls":
      case undefined: {
        if (!first) {
          const { datasets } = await client().get<{
            readonly datasets: readonly { readonly name: string; readonly latest: { readonly number: number; readonly rows: number } }[];
          }>("/v1/datasets");
          io.out(
            values.json
              ? JSON.stringify(datasets)
              : table(
                  io,
                  ["dataset", "versions", "rows"],
                  datasets.map(({ name, latest }) => [name, latest.number, latest.rows]),
                ),
          );
          return 0;
        }
        const { versions } = await client().get<{ readonly versions: readonly DatasetVersionView[] }>(path(first));
        io.out(
          values.json
            ? JSON.stringify(versions)
            : table(
                io,
                ["version", "rows", "tags", "added", "id"],
                versions.map((one) => [one.number, one.rows, one.tags.join(", "), moment(one.createdAt), one.id]),
              ),
        );
        return 0;
      }
      case "diff": {
        if (!first || !second) throw new UsageError("two versions are needed: name@tag or name/number");
        const diff = await client().get<{ readonly verdict?: string }>("/v1/dataset-diff", { from: first, to: second });
        io.out(values.json || diff.verdict === undefined ? JSON.stringify(diff, null, values.json ? 0 : 2) : diff.verdict);
        return 0;
      }
      case "tag": {
        if (!first || !second || !third || !values.reason)
          throw new UsageError("a dataset, a tag, a version's number and --reason are needed");
        const { tags } = await client().post<{ readonly tags: Readonly<Record<string, number>> }>(`${path(first)}/tags`, {
          tag: second,
          number: Number(third),
          reason: values.reason,
        });
        io.out(values.json ? JSON.stringify(tags) : `${second} is ${first}/${third}`);
        return 0;
      }
      default:
        throw new UsageError(`data can add, ls, diff or tag, not "${act}"`);
    }
  },
});
