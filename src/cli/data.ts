/** Versions of datasets: added, looked at, compared, tagged. */
import { resolve } from "node:path";
import type {
  AddedDatasetVersionView,
  DatasetDetailView,
  DatasetDiffView,
  DatasetVersionDetailView,
  DatasetVersionView,
  DatasetView,
} from "../api/index.ts";
import type { EvenkeelClient } from "../client.ts";
import { datasetText, diffText, versionText } from "./data-text.ts";
import { readBytes, readYaml } from "./files.ts";
import { moment } from "./format.ts";
import { styled, table } from "./io.ts";
import { UsageError, verb, type VerbContext } from "./verb.ts";

/** Ten million rows take minutes. */
const DIFF_MS = 3_600_000;

const path = (dataset: string) => `/v1/datasets/${encodeURIComponent(dataset)}`;

export const data = verb({
  name: "data",
  help: `add, show, compare and tag versions of datasets

usage: evenkeel data add <file.csv> --dataset <name> [--key <column>]… [--label <column>] [--protected <column>]… [--spec <file>]
                         [--tag <tag>] [--reason <text>]
       evenkeel data ls
       evenkeel data show <name> | <version>
       evenkeel data diff <version> <version> [--by <attribute>,…] [--key <column>]… [--rows <file.csv>]
       evenkeel data tag <name> <tag> <number>|none --reason <text>

  <version>    credit/2, credit@clean or tbl:…
  --key        names a row, so that it is followed from version to version; may be given more than once
  --protected  a column whose groups are watched
  --rows       writes the rows that differ: missing, new, and as they were before and are after
  --spec       the declaration as YAML or JSON, with words for codes: instead of --key, --label and --protected

The declaration is made with a dataset's first version and holds for all. Groups are shown to readers with protected:read.

examples:
  evenkeel data add tour/clients-v1.csv --dataset loans --spec examples/loans/dataset.yaml --tag v1 --reason "checked by hand"
  evenkeel data add tour/clients-v2.csv --dataset clients --key id --label default_payment_next_month --protected sex
  evenkeel data add tour/clients-v2.csv --dataset loans --tag v2 --reason "a month later"
  evenkeel data show loans@v1
  evenkeel data diff loans@v1 loans@v2 --by sex,education --rows differences.csv
  evenkeel data tag loans live 1 --reason "new extract"`,
  words: 4,
  options: {
    dataset: { type: "string" },
    key: { type: "string", multiple: true },
    label: { type: "string" },
    protected: { type: "string", multiple: true },
    spec: { type: "string" },
    tag: { type: "string" },
    reason: { type: "string" },
    by: { type: "string", multiple: true },
    rows: { type: "string" },
  },
  async run({ positionals: [act, first, second, third], values }, context) {
    const { client, io } = context;
    const show = <T>(view: T, text: (view: T) => string) => io.out(values.json ? JSON.stringify(view) : text(view));
    switch (act) {
      case "add": {
        if (!first || !values.dataset) throw new UsageError("a file and --dataset are needed");
        const spec = await declaration(values, context);
        const bytes = await readBytes(context.cwd, first);
        const query = { ...(spec ? { spec: JSON.stringify(spec) } : {}), tag: values.tag, reason: values.reason };
        const added = await client().put<AddedDatasetVersionView>(`${path(values.dataset)}/versions`, bytes, { query });
        show(added, ({ dataset, number, rows, tags, id, isNew }) => {
          const known = isNew ? "" : styled(io, "dim", "  these bytes were there already");
          return `${styled(io, "bold", `${dataset}/${number}`)}  ${rows.toLocaleString("en")} rows${tags.length > 0 ? `  ${tags.map((tag) => `@${tag}`).join(" ")}` : ""}${known}\n${id}`;
        });
        return 0;
      }
      case "ls":
      case undefined: {
        const { datasets } = await client().get<{ readonly datasets: readonly DatasetView[] }>("/v1/datasets");
        show(datasets, (all) =>
          table(
            io,
            ["dataset", "versions", "rows", "added", "tags"],
            all.map(({ name, latest, tags }) => [
              name,
              latest.number,
              latest.rows,
              moment(latest.createdAt),
              Object.entries(tags)
                .map(([tag, number]) => `${tag} → ${number}`)
                .join(", "),
            ]),
            "no dataset yet: evenkeel data add",
          ),
        );
        return 0;
      }
      case "show": {
        if (!first) throw new UsageError("which dataset, or which version of one?");
        if (!/[/@:]/.test(first)) show(await client().get<DatasetDetailView>(path(first)), (view) => datasetText(io, view));
        else {
          const { dataset, number } = await versionNamed(client(), first);
          show(await client().get<DatasetVersionDetailView>(`${path(dataset)}/versions/${number}`), (view) => versionText(io, view));
        }
        return 0;
      }
      case "diff": {
        if (!first || !second) throw new UsageError("two versions are needed, such as credit@clean credit/2");
        const { dataset } = await versionNamed(client(), first);
        const query = { from: first, to: second, by: values.by?.join(","), key: values.key?.join(",") };
        show(await client().get<DatasetDiffView>(`${path(dataset)}/diff`, query, { timeoutMs: DIFF_MS }), (view) => diffText(io, view));
        if (values.rows !== undefined) {
          const { from, to, key } = query;
          await client().getFile(`${path(dataset)}/diff/rows`, resolve(context.cwd, values.rows), { query: { from, to, key } });
        }
        return 0;
      }
      case "tag": {
        if (!first || !second || !third || !values.reason)
          throw new UsageError("a dataset, a tag, a version's number (or none) and --reason are needed");
        const number = third === "none" ? null : Number(third);
        if (number !== null && !Number.isInteger(number)) throw new UsageError(`a version's number or none, not "${third}"`);
        const { tags } = await client().post<{ readonly tags: Readonly<Record<string, number>> }>(`${path(first)}/tags`, {
          tag: second,
          number,
          reason: values.reason,
        });
        show(tags, () => (number === null ? `${first}@${second} is gone` : `${first}@${second} is ${first}/${number}`));
        return 0;
      }
      default:
        throw new UsageError(`data can add, ls, show, diff or tag, not "${act}"`);
    }
  },
});

const versionNamed = (client: EvenkeelClient, reference: string) => client.get<DatasetVersionView>("/v1/dataset-version", { reference });

/** What is said of the columns, on the command line or in a file; undefined when nothing is. */
async function declaration(
  values: {
    readonly key?: readonly string[];
    readonly label?: string;
    readonly protected?: readonly string[];
    readonly spec?: string;
  },
  { cwd }: VerbContext,
): Promise<unknown> {
  const said = {
    ...(values.key ? { key: values.key } : {}),
    ...(values.label === undefined ? {} : { label: { column: values.label } }),
    ...(values.protected ? { protected: values.protected.map((column) => ({ column })) } : {}),
  };
  const isSaid = Object.keys(said).length > 0;
  if (values.spec === undefined) return isSaid ? said : undefined;
  if (isSaid) throw new UsageError("--spec says it all: leave --key, --label and --protected out");
  return readYaml(cwd, values.spec);
}
