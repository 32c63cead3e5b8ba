/** Which versions of datasets are kept: pins, protected tags, removal, sweep, redaction, verification. */
import { Type, type Static } from "typebox";
import { actorOf } from "../access/index.ts";
import { wholeNumber } from "../checked.ts";
import { iso } from "./iso.ts";
import { orProblem, readsRegistry, type RegistryRouteParts } from "./registry-parts.ts";
import { notFound, principalOf, type Server } from "./server.ts";

const Params = Type.Object({ dataset: Type.String() });
const reason = Type.String({ minLength: 1, maxLength: 2000, description: "Kept with it and in the audit log" });
const Done = Type.Object({ done: Type.Literal(true) });
const removes = { right: "registry:remove" } as const;

const SweptView = Type.Object({ dataset: Type.String(), number: Type.Integer(), bytes: Type.Integer(), createdAt: Type.String() });
export const SweepView = Type.Object(
  {
    isTrial: Type.Boolean(),
    removed: Type.Array(SweptView, { description: "Versions whose bytes went, or would go" }),
    kept: Type.Array(Type.Object({ ...SweptView.properties, because: Type.Array(Type.String()) })),
    freeBytes: Type.Integer({ description: "Of chunks that no version needed any more before" }),
    freeLaterBytes: Type.Integer({
      description: "Of packs that were written anew, since little of them is needed: the old ones go an hour later",
    }),
  },
  { title: "DatasetSweep" },
);
export type SweepView = Static<typeof SweepView>;

export const VerificationView = Type.Object(
  {
    versions: Type.Array(
      Type.Object({ number: Type.Integer(), problems: Type.Array(Type.String(), { description: "Empty where every byte is right" }) }),
    ),
  },
  { title: "DatasetVerification" },
);
export type VerificationView = Static<typeof VerificationView>;

const Ids = Type.Object({ id: Type.String(), blob: Type.String() });
export const RedactionView = Type.Object(
  {
    versions: Type.Array(
      Type.Object({
        dataset: Type.String(),
        number: Type.Integer(),
        rows: Type.Integer(),
        before: Ids,
        after: Type.Union([Ids, Type.Null()]),
        alsoIn: Type.Array(Type.String(), { description: "What else has the bytes from before, and still does" }),
      }),
    ),
    notSearched: Type.Array(Type.String(), { description: "Datasets without a key of one column" }),
  },
  { title: "DatasetRedaction" },
);
export type RedactionView = Static<typeof RedactionView>;

export async function datasetKeepingRoutes(app: Server, { registry }: RegistryRouteParts): Promise<void> {
  const { datasets, keeping, redaction } = registry;
  app.post(
    "/v1/datasets/:dataset/pins",
    {
      config: { right: "registry:write" },
      schema: {
        summary: "Keep a version's bytes whatever happens, or no longer",
        tags: ["datasets"],
        params: Params,
        body: Type.Object({ number: wholeNumber(), isPinned: Type.Boolean(), reason }, { additionalProperties: false }),
        response: { 200: Done },
      },
    },
    async (request) => {
      orProblem(await keeping.pin({ dataset: request.params.dataset, ...request.body }, actorOf(principalOf(request))));
      return { done: true as const };
    },
  );
  app.post(
    "/v1/datasets/:dataset/protected-tags",
    {
      config: { right: "registry:protected" },
      schema: {
        summary: "Let only those with registry:protected move a tag, or everybody again",
        tags: ["datasets"],
        params: Params,
        body: Type.Object({ tag: Type.String(), isProtected: Type.Boolean(), reason }, { additionalProperties: false }),
        response: { 200: Done },
      },
    },
    async (request) => {
      orProblem(await keeping.protectTag({ dataset: request.params.dataset, ...request.body }, actorOf(principalOf(request))));
      return { done: true as const };
    },
  );
  app.delete(
    "/v1/datasets/:dataset/versions/:version",
    {
      config: removes,
      schema: {
        summary: "Take a version's bytes away",
        description: "Refused while a tag, a pin or a release needs it, saying which. Its number, ids and profile stay.",
        tags: ["datasets"],
        params: Type.Object({ dataset: Type.String(), version: Type.String({ description: "A number" }) }),
        querystring: Type.Object({ reason }, { additionalProperties: false }),
        response: { 200: Done },
      },
    },
    async (request) => {
      const { dataset, version } = request.params;
      if (!/^[1-9]\d{0,8}$/.test(version)) throw notFound(`version "${version}" of dataset "${dataset}"`);
      orProblem(await keeping.remove(dataset, Number(version), actorOf(principalOf(request)), request.query.reason));
      return { done: true as const };
    },
  );
  app.get(
    "/v1/datasets/:dataset/verification",
    {
      config: readsRegistry,
      schema: {
        summary: "Read every byte of a dataset's versions, and say which aren't what was added",
        tags: ["datasets"],
        params: Params,
        querystring: Type.Object(
          { number: Type.Optional(wholeNumber({ description: "One version; all when left out" })) },
          { additionalProperties: false },
        ),
        response: { 200: VerificationView },
      },
    },
    async (request) => {
      const { dataset } = request.params;
      const versions = (await datasets.versions(dataset)).filter(({ number }) => (request.query.number ?? number) === number);
      if (versions.length === 0) throw notFound(`such a version of dataset "${dataset}"`);
      const checks = await keeping.verify(versions.toReversed());
      return { versions: checks.map(({ number, problems }) => ({ number, problems: [...problems] })) };
    },
  );
  app.post(
    "/v1/dataset-sweep",
    {
      config: removes,
      schema: {
        summary: "Take away the bytes of versions that nothing needs",
        description: "Kept: the newest of each dataset, and what a tag, a pin or a release that answered within its retention needs.",
        tags: ["datasets"],
        body: Type.Object(
          {
            isTrial: Type.Boolean({ description: "Only say what would go, and why the rest stays" }),
            olderThanDays: Type.Optional(wholeNumber({ description: "Versions that were added since stay; 30 when left out" })),
          },
          { additionalProperties: false },
        ),
        response: { 200: SweepView },
      },
    },
    async (request) => {
      const { isTrial, olderThanDays = 30 } = request.body;
      const { removed, kept, freeBytes, freeLaterBytes } = await keeping.sweep({ isTrial, olderThanDays }, actorOf(principalOf(request)));
      return {
        isTrial,
        removed: removed.map(({ createdAtMs, ...version }) => ({ ...version, createdAt: iso(createdAtMs) })),
        kept: kept.map(({ createdAtMs, because, ...version }) => ({ ...version, because: [...because], createdAt: iso(createdAtMs) })),
        freeBytes,
        freeLaterBytes,
      };
    },
  );
  app.post(
    "/v1/dataset-redactions",
    {
      config: removes,
      schema: {
        summary: "Take a person's rows out of every version, for good",
        description:
          "Ids from before are kept as tombstones; whose rows they were is not. Decisions about the person are erased elsewhere.",
        tags: ["datasets"],
        body: Type.Object(
          {
            subject: Type.String({ minLength: 1, maxLength: 1000, description: "Value of the key, or of `column`" }),
            reference: Type.String({
              minLength: 1,
              maxLength: 200,
              description: "What asked for it: the request's number, never the person's name",
            }),
            dataset: Type.Optional(Type.String({ description: "All when left out" })),
            column: Type.Optional(Type.String({ description: "Where the subject stands; the key when left out" })),
          },
          { additionalProperties: false },
        ),
        response: { 200: RedactionView },
      },
    },
    async (request) => {
      const done = orProblem(await redaction.redact(request.body, actorOf(principalOf(request))));
      const versions = done.versions.map(({ before, after, alsoIn, ...version }) => ({
        ...version,
        before: { ...before },
        after: after && { ...after },
        alsoIn: [...alsoIn],
      }));
      return { versions, notSearched: [...done.notSearched] };
    },
  );
}
