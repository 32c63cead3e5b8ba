/** Models: immutable versions, and aliases that move. */
import { Type, type Static } from "typebox";
import { iso } from "./iso.ts";
import { orNull, wholeNumber } from "../checked.ts";
import { actorOf, mayDo } from "../access/index.ts";
import { ModelExamples, ModelSignature, type FeatureSets, type FeatureSetVersion, type ModelVersion } from "../registry/index.ts";
import type { FeatureSetId } from "../std.ts";
import { MoveView } from "./dataset-view.ts";
import { reasonText } from "./dataset-routes.ts";
import type { ModelIntake } from "./model-intake.ts";
import { ProblemError } from "./problem.ts";
import { orProblem, readsRegistry, writesRegistry, type RegistryRouteParts } from "./registry-parts.ts";
import { notFound, principalOf, type Server } from "./server.ts";

const Time = Type.String({ description: "ISO 8601, UTC" });

export const ModelVersionView = Type.Object(
  {
    model: Type.String(),
    number: Type.Integer(),
    id: Type.String({ description: "mdl:…" }),
    blob: Type.String(),
    signature: orNull(ModelSignature),
    unservable: orNull(Type.String({ description: "Why it has no signature and can't be served" })),
    featureSet: orNull(Type.String({ description: "fs:…" })),
    run: orNull(Type.String()),
    aliases: Type.Array(Type.String()),
    createdAt: Time,
    createdBy: Type.String(),
  },
  { title: "ModelVersion" },
);
export type ModelVersionView = Static<typeof ModelVersionView>;
const modelFields = { name: Type.String(), latest: Type.Integer(), aliases: Type.Record(Type.String(), Type.Integer()), createdAt: Time };
export const ModelView = Type.Object(modelFields, { title: "Model" });
export type ModelView = Static<typeof ModelView>;
export const ModelDetailView = Type.Object(
  {
    ...modelFields,
    versions: Type.Array(ModelVersionView),
    moves: Type.Array(MoveView, { description: "Of aliases, oldest first" }),
    protected: Type.Array(Type.Object({ alias: Type.String(), by: Type.String(), at: Time, reason: Type.String() }), {
      description: "Aliases that only those with registry:protected move",
    }),
  },
  { title: "ModelDetail" },
);
export type ModelDetailView = Static<typeof ModelDetailView>;

const ModelParams = Type.Object({ model: Type.String() });

export function modelRoutes(app: Server, { registry }: RegistryRouteParts, intake: ModelIntake): void {
  const { models, featureSets } = registry;
  const known = async (name: string): Promise<ModelView> => {
    const model = (await models.list()).find((one) => one.name === name);
    if (!model) throw notFound(`model "${name}"`);
    return { name, latest: model.latest, aliases: { ...model.aliases }, createdAt: iso(model.createdAtMs) };
  };
  app.get(
    "/v1/models",
    {
      config: readsRegistry,
      schema: { summary: "All models", tags: ["models"], response: { 200: Type.Object({ models: Type.Array(ModelView) }) } },
    },
    async () => ({
      models: (await models.list()).map(({ createdAtMs, aliases, ...model }) => ({
        ...model,
        aliases: { ...aliases },
        createdAt: iso(createdAtMs),
      })),
    }),
  );
  app.get(
    "/v1/models/:model",
    {
      config: readsRegistry,
      schema: {
        summary: "A model: its versions (newest first) and where its aliases have been",
        tags: ["models"],
        params: ModelParams,
        response: { 200: ModelDetailView },
      },
    },
    async (request) => {
      const model = await known(request.params.model);
      const [versions, history] = [await models.versions(model.name), await models.aliasHistory(model.name)];
      const moves = history.map(({ alias: label, movedAtMs, ...move }) => ({ ...move, label, movedAt: iso(movedAtMs) }));
      const guarded = (await models.aliasProtections(model.name)).map(({ alias, protectedAtMs, protectedBy, reason }) => ({
        alias,
        by: protectedBy,
        at: iso(protectedAtMs),
        reason,
      }));
      return { ...model, versions: versions.map(modelVersionView), moves, protected: guarded };
    },
  );
  app.get(
    "/v1/model-version",
    {
      config: readsRegistry,
      schema: {
        summary: "The version that a reference names",
        tags: ["models"],
        querystring: Type.Object({ reference: Type.String({ description: "credit/3, credit@champion or mdl:…" }) }),
        response: { 200: ModelVersionView },
      },
    },
    async (request) => modelVersionView(orProblem(await models.resolve(request.query.reference), "/reference")),
  );
  app.post(
    "/v1/models/:model/versions",
    {
      config: writesRegistry,
      schema: {
        summary: "Register a version: its bytes never change again",
        description:
          "The file is read, and refused if it can't be served, before anything loads it. Then it is tried in a process of its own, with limits of memory and time.",
        tags: ["models"],
        params: ModelParams,
        body: Type.Object(
          {
            blob: Type.Optional(Type.String({ description: "Uploaded before" })),
            files: Type.Optional(
              Type.Array(
                Type.Object({ name: Type.String({ minLength: 1, maxLength: 255 }), blob: Type.String() }, { additionalProperties: false }),
                {
                  minItems: 1,
                  maxItems: 64,
                  description: "Instead of blob, the files of a folder: the model, those with its weights, and what MLflow saved with it",
                },
              ),
            ),
            signature: Type.Optional(ModelSignature),
            features: Type.Optional(
              Type.Array(Type.String({ minLength: 1, maxLength: 250 }), { maxItems: 1000, description: "In the model's order" }),
            ),
            featureSet: Type.Optional(Type.String({ description: "fs:… or name/3: gives the features" })),
            run: Type.Optional(Type.String()),
            output: Type.Optional(Type.String({ description: "The output that holds the score, where several could" })),
            examples: Type.Optional(ModelExamples),
          },
          { additionalProperties: false },
        ),
        response: { 200: ModelVersionView },
      },
    },
    async (request) => {
      const { featureSet, run, blob, files, features, signature, output, examples } = request.body;
      const set = featureSet === undefined ? undefined : await featureSetNamed(featureSets, featureSet);
      const accepted = await intake.accept({
        blob,
        files,
        signature,
        features: features ?? signature?.features ?? set?.spec.features.map(({ name }) => name),
        output,
        examples,
      });
      const parts = { ...(set ? { featureSet: set.id } : {}), ...(run === undefined ? {} : { run }) };
      const { model } = request.params;
      return modelVersionView(orProblem(await models.register({ model, ...accepted, ...parts }, actorOf(principalOf(request)))));
    },
  );
  app.post(
    "/v1/models/:model/aliases",
    {
      config: writesRegistry,
      schema: {
        summary: "Move an alias, or take it away",
        tags: ["models"],
        params: ModelParams,
        body: Type.Object(
          {
            alias: Type.String(),
            number: orNull(wholeNumber({ description: "Version; null takes the alias away" })),
            reason: reasonText,
            expected: Type.Optional(orNull(wholeNumber({ description: "Move it only if it still points there" }))),
          },
          { additionalProperties: false },
        ),
        response: { 200: Type.Object({ aliases: Type.Record(Type.String(), Type.Integer()) }) },
      },
    },
    async (request) => {
      const { name: model } = await known(request.params.model);
      const principal = principalOf(request);
      const move = { model, ...request.body, mayMoveProtected: mayDo(principal, "registry:protected") };
      const moved = orProblem(await models.setAlias(move, actorOf(principal)));
      return { aliases: { ...moved.aliases } };
    },
  );
  app.post(
    "/v1/models/:model/protected-aliases",
    {
      config: { right: "registry:protected" },
      schema: {
        summary: "Protect an alias, or free it",
        description: "A protected one is moved and taken away by those with registry:protected only, and what it points at isn't deleted.",
        tags: ["models"],
        params: ModelParams,
        body: Type.Object({ alias: Type.String(), isProtected: Type.Boolean(), reason: reasonText }, { additionalProperties: false }),
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      const { name: model } = await known(request.params.model);
      orProblem(await models.protectAlias({ model, ...request.body }, actorOf(principalOf(request))));
      return reply.code(204).send(null);
    },
  );
  app.delete(
    "/v1/models/:model/versions/:number",
    {
      config: writesRegistry,
      schema: {
        summary: "Delete a version of which no release is made",
        description: "Refused while a release or an alias points at it; the refusal names them. Its number is not given again.",
        tags: ["models"],
        params: Type.Object({ model: Type.String(), number: Type.Integer({ minimum: 1, maximum: 999_999_999 }) }),
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      const { model, number } = request.params;
      const { aliases } = orProblem(await models.resolve(`${model}/${number}`));
      if (aliases.length > 0)
        throw new ProblemError(
          "conflict",
          `${model}/${number} can't be deleted: ${aliases.map((alias) => `${model}@${alias}`).join(", ")} points at it.`,
        );
      const deleted = await registry.tracking.versions.delete(model, number, actorOf(principalOf(request)));
      if (!deleted.ok) throw new ProblemError("conflict", `${deleted.error.message}.`);
      return reply.code(204).send(null);
    },
  );
}

function modelVersionView({ createdAtMs, aliases, ...version }: ModelVersion): ModelVersionView {
  return { ...version, aliases: [...aliases], createdAt: iso(createdAtMs) };
}

/** @param reference - `fs:…` or `name/3` */
export async function findFeatureSet(featureSets: FeatureSets, reference: string): Promise<FeatureSetVersion | undefined> {
  const [, name, number] = /^([^/@]+)\/([1-9]\d{0,8})$/.exec(reference) ?? [];
  if (name !== undefined && number !== undefined) return await featureSets.numbered(name, Number(number));
  return await featureSets.get(asFeatureSetId(reference));
}

export async function featureSetNamed(featureSets: FeatureSets, reference: string): Promise<FeatureSetVersion> {
  const found = await findFeatureSet(featureSets, reference);
  if (!found) throw new ProblemError("not-found", `There is no feature set ${reference}: give name/NUMBER or fs:….`);
  return found;
}

/** Only looked up: a text that is no id is not found. */
const asFeatureSetId = (text: string): FeatureSetId => text as FeatureSetId;
