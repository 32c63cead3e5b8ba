/** What differs between two versions of datasets, and the rows in which they do. */
import { Readable } from "node:stream";
import { Type } from "typebox";
import { mayDo } from "../access/index.ts";
import { parseReference } from "../registry/index.ts";
import { Slots } from "../slots.ts";
import { DatasetDiffView, diffView } from "./dataset-diff-view.ts";
import { ProblemError } from "./problem.ts";
import { orProblem, readsRegistry, type RegistryRouteParts } from "./registry-parts.ts";
import { principalOf, type Server } from "./server.ts";

const DatasetParams = Type.Object({ dataset: Type.String() });
const Version = Type.String({ description: "A number or tag of this dataset, or a reference to any version" });
const KeyColumns = Type.Optional(
  Type.String({ description: "Columns that name a row, with commas between; the declared ones when left out" }),
);

const WAITING_MAX = 8;

export async function datasetDiffRoutes(
  app: Server,
  { registry: { datasets }, reads }: Pick<RegistryRouteParts, "registry" | "reads">,
): Promise<void> {
  /** Comparisons one after the other: each takes much memory and disk. Few wait, others come again. */
  const turns = new Slots(1);
  const inTurn = <T>(compare: () => Promise<T>): Promise<T> => {
    if (turns.waiting >= WAITING_MAX)
      throw new ProblemError("overloaded", `${WAITING_MAX} comparisons of tables wait already: ask again when they are done.`);
    return turns.within(compare);
  };
  /** Both versions as the registry names them, and the columns that either's dataset protects. */
  const compared = async (dataset: string, asked: { readonly from: string; readonly to: string }) => {
    const versions = { from: within(dataset, asked.from), to: within(dataset, asked.to) };
    const found = [orProblem(await datasets.get(versions.from), "/from"), orProblem(await datasets.get(versions.to), "/to")];
    const all = await datasets.list();
    const specs = found.flatMap((version) => all.find(({ name }) => name === version.dataset)?.spec ?? []);
    return { versions, guarded: specs.flatMap((spec) => spec.protected ?? []).map(({ column }) => column) };
  };

  app.get(
    "/v1/datasets/:dataset/diff",
    {
      config: { ...readsRegistry, needsMemory: true },
      schema: {
        summary: "What differs between two versions, and for whom",
        description: "Groups and the verdict, which names them, are shown to readers with protected:read.",
        tags: ["datasets"],
        params: DatasetParams,
        querystring: Type.Object({
          from: Version,
          to: Type.String(),
          by: Type.Optional(Type.String({ description: "Protected attributes to look at, with commas between; all when left out" })),
          key: KeyColumns,
        }),
        response: { 200: DatasetDiffView },
      },
    },
    async (request) => {
      const { dataset } = request.params;
      const { from, to, by, key } = request.query;
      const { versions, guarded } = await compared(dataset, { from, to });
      const how = { ...(by === undefined ? {} : { by: by.split(",") }), ...(key === undefined ? {} : { key: key.split(",") }) };
      const diff = orProblem(await inTurn(() => datasets.diff(versions.from, versions.to, how)));
      const seesGroups = mayDo(principalOf(request), "protected:read");
      const shown = seesGroups ? diff.groups.length : 0;
      await reads.note(principalOf(request), { object: `dataset/${dataset}`, asked: { view: "diff", ...request.query }, shown });
      return diffView(diff, { seesGroups, guarded: seesGroups ? [] : guarded });
    },
  );
  app.get(
    "/v1/datasets/:dataset/diff/rows",
    {
      config: { ...readsRegistry, needsMemory: true },
      schema: {
        summary: "The rows in which two versions differ, as CSV",
        description:
          "The first column says whether a row is `missing` or `new`, or how it was `before` and is `after`. They are rows of people: for those who " +
          "write to the registry, and readers with protected:read. Protected columns are there only for the latter.",
        tags: ["datasets"],
        produces: ["text/csv"],
        params: DatasetParams,
        querystring: Type.Object({ from: Version, to: Type.String(), key: KeyColumns }),
      },
    },
    async (request, reply) => {
      const principal = principalOf(request);
      const seesGroups = mayDo(principal, "protected:read");
      if (!seesGroups && !mayDo(principal, "registry:write"))
        throw new ProblemError("forbidden", "Rows are of people: registry:write or protected:read is needed.");
      const { dataset } = request.params;
      const { from, to, key } = request.query;
      const { versions, guarded } = await compared(dataset, { from, to });
      const how = { hidden: seesGroups ? [] : guarded, ...(key === undefined ? {} : { key: key.split(",") }) };
      const { count, pieces } = orProblem(await inTurn(() => datasets.diffRows(versions.from, versions.to, how)));
      const rows = Readable.from(pieces, { objectMode: false });
      try {
        await reads.note(principal, { object: `dataset/${dataset}`, asked: { view: "diff-rows", ...request.query }, shown: count });
      } catch (error) {
        rows.destroy();
        throw error;
      }
      return reply.type("text/csv; charset=utf-8").header("content-disposition", "attachment").send(rows);
    },
  );
}

/** `2` and `clean` are versions of this dataset; whole references stay what they are. */
export function within(dataset: string, text: string): string {
  if (parseReference(text)) return text;
  return /^[0-9]+$/.test(text) ? `${dataset}/${text}` : `${dataset}@${text}`;
}
