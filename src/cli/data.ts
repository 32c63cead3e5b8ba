/** Versions of datasets: added, looked at, compared, tagged. */
import { resolve } from "node:path";
import type {
  DatasetDetailView,
  DatasetDiffView,
  DatasetVersionDetailView,
  DatasetVersionView,
  DatasetView,
  RedactionView,
  SketchesView,
  SweepView,
  VerificationView,
} from "../api/index.ts";
import { EvenkeelProblem, type EvenkeelClient } from "../client.ts";
import { addPath, blobOfFile, getVersion } from "./data-files.ts";
import { redactionText, sweepText, verificationText } from "./data-keeping.ts";
import { datasetText, diffText, versionText } from "./data-text.ts";
import { sketchesText } from "./sketches-text.ts";
import { FileError, readYaml } from "./files.ts";
import { moment } from "./format.ts";
import { styled, table } from "./io.ts";
import { UsageError, verb, wholeNumber, type VerbContext } from "./verb.ts";

/** Ten million rows take minutes. */
const DIFF_MS = 3_600_000;
/** What goes through all that is stored. */
const READS_ALL = { timeoutMs: 24 * 3_600_000 };

const path = (dataset: string) => `/v1/datasets/${encodeURIComponent(dataset)}`;

export const data = verb({
  name: "data",
  help: `add, show, compare, tag, keep and redact versions of datasets

usage: evenkeel data add <file or folder> --dataset <name> [--key <column>]… [--label <column>] [--protected <column>]… [--spec <file>]
                         [--format csv|ndjson|parquet] [--tag <tag>] [--reason <text>]
       evenkeel data ls
       evenkeel data show <name> | <version> [--by <attribute>]
       evenkeel data status <file> [--read]
       evenkeel data get <version> [--out <path>]
       evenkeel data diff <version> <version> [--by <attribute>,…] [--key <column>]… [--rows <file.csv>]
       evenkeel data tag <name> <tag> <number>|none --reason <text> [--expect <number>|none]
       evenkeel data tag <name> <tag> protected|free --reason <text>
       evenkeel data pin|unpin <version> --reason <text>
       evenkeel data verify <name> | <version>
       evenkeel data rm <version> --reason <text>
       evenkeel data gc [--dry-run] [--older-than <days>]
       evenkeel data redact --subject <id> --reason <reference> [--dataset <name>] [--column <column>]

  <version>    credit/2, credit@clean, tbl:… or its file's sha256:…
  --key        names a row, so that it is followed from version to version; may be given more than once
  --protected  a column whose groups are watched
  --by         shows each column by the groups of an attribute; of a diff, looks at these attributes only
  --rows       writes the rows that differ: missing, new, and as they were before and are after
  --read       hash a file that isn't known; status reads none otherwise, however large
  --expect     move the tag only if it still points there: of two people, one wins, and the other is told who won
  --dry-run    say what would go, and why the rest stays; newer versions than --older-than (30) days stay
  --subject    value of the key; the reference is kept, the subject isn't
  --spec       the declaration as YAML or JSON, with words for codes: instead of --key, --label and --protected

The declaration is made with a dataset's first version and holds for all. Groups are shown to readers with protected:read.

examples:
  evenkeel data add tour/clients-v1.csv --dataset loans --spec examples/loans/dataset.yaml --tag v1 --reason "checked by hand"
  evenkeel data add tour/clients-v2.csv --dataset clients --key id --label default_payment_next_month --protected sex
  evenkeel data add tour/clients-v2.csv --dataset loans --tag v2 --reason "a month later"
  evenkeel data show loans@v1
  evenkeel data diff loans@v1 loans@v2 --by sex,education --rows differences.csv
  evenkeel data tag loans live 1 --reason "new extract"
  evenkeel data gc --dry-run`,
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
    format: { type: "string" },
    out: { type: "string" },
    read: { type: "boolean" },
    expect: { type: "string" },
    "dry-run": { type: "boolean" },
    "older-than": { type: "string" },
    subject: { type: "string" },
    column: { type: "string" },
  },
  async run({ positionals: [act, first, second, third], values }, context) {
    const { client, io } = context;
    const show = <T>(view: T, text: (view: T) => string) => io.out(values.json ? JSON.stringify(view) : text(view));
    switch (act) {
      case "add": {
        if (!first || !values.dataset) throw new UsageError("a file and --dataset are needed");
        const spec = await declaration(values, context);
        const said = { tag: values.tag, reason: values.reason, format: values.format };
        const query = { ...(spec ? { spec: JSON.stringify(spec) } : {}), ...said };
        const added = await addPath(context, client(), { file: first, address: `${path(values.dataset)}/versions`, query });
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
          const place = `${path(dataset)}/versions/${number}`;
          const { by } = values;
          if (by)
            show(await client().get<SketchesView>(`${place}/sketches`), (view) =>
              sketchesText(
                io,
                view,
                by.flatMap((one) => one.split(",")),
              ),
            );
          else show(await client().get<DatasetVersionDetailView>(place), (view) => versionText(io, view));
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
        if (third === "protected" || third === "free") {
          const isProtected = third === "protected";
          const done = await client().post(`${path(first)}/protected-tags`, { tag: second, isProtected, reason: values.reason });
          show(
            done,
            () => `${first}@${second} is moved by ${isProtected ? "operators and admins only" : "whoever writes to the registry"}`,
          );
          return 0;
        }
        const number = pointed("a version's number, none, protected or free", third);
        const expected =
          values.expect === undefined ? {} : { expected: pointed("--expect takes a version's number or none", values.expect) };
        const { tags } = await client().post<{ readonly tags: Readonly<Record<string, number>> }>(`${path(first)}/tags`, {
          tag: second,
          number,
          reason: values.reason,
          ...expected,
        });
        show(tags, () => (number === null ? `${first}@${second} is gone` : `${first}@${second} is ${first}/${number}`));
        return 0;
      }
      case "status": {
        if (!first) throw new UsageError("which file?");
        const blob = await blobOfFile(context, first, values.read ?? false);
        const version = blob === undefined ? undefined : await versionWith(client(), blob);
        show({ file: first, blob: blob ?? null, version: version ?? null }, () => {
          if (version) return `${first} is ${version.dataset}/${version.number}  ${version.id}`;
          return blob === undefined
            ? `${first} isn't known: it has changed, or was never added from here (--read hashes it)`
            : `${first} is no version here  ${blob}`;
        });
        return version ? 0 : 1;
      }
      case "get": {
        if (!first) throw new UsageError("which version?");
        const version = await versionNamed(client(), first);
        if (version.removal) throw new FileError(`the bytes of ${first} were taken away: ${version.removal.because}`);
        const place = await getVersion(context, client(), version, values.out);
        show({ ...version, path: place }, () => `${version.dataset}/${version.number} is in ${place}`);
        return 0;
      }
      case "pin":
      case "unpin": {
        if (!first || !values.reason) throw new UsageError("a version and --reason are needed");
        const { dataset, number } = await versionNamed(client(), first);
        const isPinned = act === "pin";
        const done = await client().post(`${path(dataset)}/pins`, { number, isPinned, reason: values.reason });
        show(done, () => `${dataset}/${number} ${isPinned ? "stays whatever happens" : "is kept no longer than anything needs it"}`);
        return 0;
      }
      case "verify": {
        if (!first) throw new UsageError("which dataset, or which version of one?");
        const one = /[/@:]/.test(first) ? await versionNamed(client(), first) : undefined;
        const dataset = one?.dataset ?? first;
        const query = { number: one?.number };
        const checks = await client().get<VerificationView>(`${path(dataset)}/verification`, query, READS_ALL);
        show(checks, (view) => verificationText(io, dataset, view));
        return checks.versions.every(({ problems }) => problems.length === 0) ? 0 : 1;
      }
      case "rm": {
        if (!first || !values.reason) throw new UsageError("a version and --reason are needed");
        const { dataset, number } = await versionNamed(client(), first);
        const done = await client().delete(`${path(dataset)}/versions/${number}`, { reason: values.reason });
        show(done, () => `the bytes of ${dataset}/${number} are gone; its number, ids and profile stay`);
        return 0;
      }
      case "gc": {
        const olderThanDays =
          values["older-than"] === undefined
            ? {}
            : { olderThanDays: wholeNumber("--older-than", values["older-than"], { min: 0, max: 36_500 }) };
        const swept = await client().post<SweepView>(
          "/v1/dataset-sweep",
          { isTrial: values["dry-run"] ?? false, ...olderThanDays },
          READS_ALL,
        );
        show(swept, (view) => sweepText(io, view));
        return 0;
      }
      case "redact": {
        if (!values.subject || !values.reason) throw new UsageError("--subject and --reason, the reference of the request, are needed");
        const { subject, reason: reference, dataset, column } = values;
        const within = { ...(dataset === undefined ? {} : { dataset }), ...(column === undefined ? {} : { column }) };
        const redacted = await client().post<RedactionView>("/v1/dataset-redactions", { subject, reference, ...within }, READS_ALL);
        show(redacted, (view) => redactionText(io, view));
        return 0;
      }
      default:
        throw new UsageError(`data can add, ls, show, status, get, diff, tag, pin, unpin, verify, rm, gc and redact, not "${act}"`);
    }
  },
});

const versionNamed = (client: EvenkeelClient, reference: string) => client.get<DatasetVersionView>("/v1/dataset-version", { reference });

/** undefined where no version has these bytes. */
async function versionWith(client: EvenkeelClient, blob: string): Promise<DatasetVersionView | undefined> {
  try {
    return await versionNamed(client, blob);
  } catch (error) {
    if (error instanceof EvenkeelProblem && error.problem.status === 404) return undefined;
    throw error;
  }
}

/** Where a tag points: a number, or nowhere. */
function pointed(expected: string, text: string): number | null {
  if (text === "none") return null;
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new UsageError(`${expected}, not "${text}"`);
}

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
