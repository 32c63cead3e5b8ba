/** How the columns of a version are spread, in all rows and in each protected group. */
import { Type, type Static } from "typebox";
import { mayDo } from "../access/index.ts";
import { TableSketches, type DatasetSpec } from "../registry/index.ts";
import { within } from "./dataset-diff-routes.ts";
import { orProblem, readsRegistry, type RegistryRouteParts } from "./registry-parts.ts";
import { notFound, principalOf, type Server } from "./server.ts";

export const SketchesView = Type.Object(
  { dataset: Type.String(), number: Type.Integer(), ...TableSketches.properties },
  { title: "DatasetSketches", description: "Groups, and values of protected columns, are shown to readers with protected:read." },
);
export type SketchesView = Static<typeof SketchesView>;

export async function datasetSketchRoutes(app: Server, { registry, reads }: RegistryRouteParts): Promise<void> {
  const { datasets } = registry;
  app.get(
    "/v1/datasets/:dataset/versions/:version/sketches",
    {
      config: readsRegistry,
      schema: {
        summary: "How the values of each column are spread, in all rows and by group",
        description: "Kept when the version was added, so that it is there when the rows are gone.",
        tags: ["datasets"],
        params: Type.Object({ dataset: Type.String(), version: Type.String({ description: "A number or a tag" }) }),
        response: { 200: SketchesView },
      },
    },
    async (request) => {
      const { dataset, version } = request.params;
      const found = orProblem(await datasets.get(within(dataset, version)));
      const sketches = await datasets.sketches(found);
      if (!sketches) throw notFound(`sketch of ${found.dataset}/${found.number}`);
      const seesGroups = mayDo(principalOf(request), "protected:read");
      const groups = sketches.columns.reduce((sum, column) => sum + column.groups.length, 0);
      const asked = { view: "sketches", version: found.number };
      await reads.note(principalOf(request), { object: `dataset/${found.dataset}`, asked, shown: seesGroups ? groups : 0 });
      const spec = (await datasets.list()).find(({ name }) => name === found.dataset)?.spec ?? {};
      return { dataset: found.dataset, number: found.number, ...(seesGroups ? sketches : withoutGroups(sketches, spec)) };
    },
  );
}

/** Values of protected columns are counts of groups. */
function withoutGroups({ columns }: TableSketches, spec: DatasetSpec): TableSketches {
  const guarded = new Set((spec.protected ?? []).map(({ column }) => column));
  return {
    isByGroup: false,
    columns: columns.map((column) => ({
      ...column,
      all: guarded.has(column.name) ? { ...column.all, numbers: null, frequent: [] } : column.all,
      groups: [],
    })),
  };
}
