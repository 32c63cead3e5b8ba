/** A recipe as a run keeps it. It comes from whoever recorded the run, and its commands will run: so it is checked when it is read. */
import { Type } from "typebox";
import { checked, object, orNull } from "../checked.ts";
import { ok, type Issue, type Result } from "../std.ts";
import { InnerPath, OutSpec, Role } from "./declaration.ts";
import type { Recipe } from "./recipe.ts";

const Blob = Type.String({ pattern: "^sha256:[0-9a-f]{64}$" });
const Name = Type.String({ maxLength: 250 });
const Dep = Type.Union([
  object({ kind: Type.Literal("step"), step: Name, out: Name }),
  object({ kind: Type.Literal("dataset"), reference: Name }),
  object({ kind: Type.Literal("file"), path: InnerPath }),
  object({ kind: Type.Literal("external"), external: Name, pin: Name }),
]);
const RecipeRecord = object({
  pipeline: Name,
  steps: Type.Array(
    object({
      name: Name,
      role: Role,
      cmd: Type.String({ minLength: 1, maxLength: 4096 }),
      capsule: Type.Record(InnerPath, Blob, { additionalProperties: false }),
      executable: Type.Optional(Type.Array(InnerPath)),
      params: Type.Record(Type.String(), Type.Unknown()),
      deps: Type.Record(Name, Dep),
      outs: Type.Record(Name, OutSpec),
      metrics: orNull(InnerPath),
      timeoutMs: Type.Integer({ minimum: 1 }),
      order: Type.Optional(Type.Literal("insensitive")),
      env: Type.Optional(
        Type.Record(Type.String({ pattern: "^[A-Za-z_][A-Za-z0-9_]*$" }), orNull(Type.String()), { additionalProperties: false }),
      ),
    }),
    { minItems: 1, maxItems: 100 },
  ),
  datasets: Type.Record(Name, object({ version: Type.String(), blob: Blob, layout: Type.Optional(Type.Literal("folder")) })),
  files: Type.Optional(Type.Record(InnerPath, Blob, { additionalProperties: false })),
  environment: Type.Optional(Type.String()),
  locks: Type.Optional(Type.Array(InnerPath)),
  seed: Type.Integer(),
});

const check = checked(RecipeRecord);

/** @param value - what JSON gave */
export function parseRecipe(value: unknown): Result<Recipe, readonly Issue[]> {
  const parsed = check(value);
  return parsed.ok ? ok(asRecipe(parsed.value)) : parsed;
}

/** Checked above; what is `unknown` in it came from JSON, and its blob ids have their form. */
const asRecipe = (value: unknown): Recipe => value as Recipe;
