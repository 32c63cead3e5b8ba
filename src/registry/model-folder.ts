/** A model of several files, or one with examples: a manifest that names its blobs, itself a blob whose id stands for all of it. */
import { open } from "node:fs/promises";
import { Type, type Static } from "typebox";
import { checked } from "../checked.ts";
import { err, ok, type BlobId, type Issue, type Result } from "../std.ts";
import { canonicalJson, type Blobs } from "../store/index.ts";

const Value = Type.Union([Type.Number(), Type.String({ maxLength: 1000 }), Type.Boolean(), Type.Null()]);

/** Rows of features that a model is asked about whenever it is loaded, and what it must say. */
export const ModelExamples = Type.Object(
  {
    rows: Type.Array(
      Type.Union([
        Type.Array(Value, { minItems: 1, maxItems: 1000, description: "Features in the model's order" }),
        Type.Record(Type.String({ maxLength: 1024 }), Value, { maxProperties: 1000, description: "Features by their names" }),
      ]),
      { minItems: 1, maxItems: 100 },
    ),
    scores: Type.Optional(Type.Array(Type.Number(), { maxItems: 100, description: "One a row; without them those of its registration" })),
    tolerance: Type.Optional(Type.Number({ minimum: 0, maximum: 1, description: "How far a score may be from it; 0.00001 by default" })),
  },
  { title: "ModelExamples", additionalProperties: false, description: "Tried whenever the model is loaded" },
);
export type ModelExamples = Static<typeof ModelExamples>;

const Manifest = Type.Object(
  {
    evenkeel: Type.Literal("model"),
    /** Which of the files is the model. */
    model: Type.String(),
    files: Type.Record(Type.String(), Type.String({ pattern: "^sha256:[0-9a-f]{64}$" })),
    examples: Type.Optional(ModelExamples),
    /** Where the examples' scores came from; a release that is asked for another column has other ones. */
    scored: Type.Optional(Type.Object({ output: Type.String(), column: Type.Union([Type.Integer(), Type.Null()]) })),
  },
  { additionalProperties: false },
);
const parseManifest = checked(Manifest);

/** A model by its parts. */
export interface ModelParts {
  readonly model: BlobId;
  /** Files that lie beside it, by their names. */
  readonly beside: ReadonlyMap<string, BlobId>;
  readonly examples: ModelExamples | null;
  /** The output and column that the examples' scores are of. */
  readonly scored: ScoredColumn | null;
}

/** `column` is null where there is one, or the last is meant. */
export interface ScoredColumn {
  readonly output: string;
  readonly column: number | null;
}

const MODEL_NAME = "model.onnx";

/** Stores what says which blobs make up the model. One file without examples is its own. */
export async function putModel(blobs: Blobs, { model, beside, examples, scored }: ModelParts): Promise<BlobId> {
  if (beside.size === 0 && examples === null) return model;
  // The model's own name means nothing, so the same model under another is the same.
  let name = MODEL_NAME;
  while (beside.has(name)) name = `${name}_`;
  const files = Object.fromEntries([[name, model], ...beside]);
  const manifest = { evenkeel: "model", model: name, files, ...(examples ? { examples } : {}), ...(scored ? { scored } : {}) };
  return blobs.put(Buffer.from(canonicalJson(manifest)));
}

const BRACE = 0x7b;
/** A hundred examples of a thousand texts may be large. */
const MAX_MANIFEST_BYTES = 16 * 1024 * 1024;

/** What a model's blob stands for. No ONNX file begins as a manifest does. */
export async function modelParts(blobs: Pick<Blobs, "get" | "path">, blob: BlobId): Promise<Result<ModelParts, readonly Issue[]>> {
  const head = await headOf(blobs.path(blob));
  if (head.first !== BRACE) return ok({ model: blob, beside: new Map(), examples: null, scored: null });
  const refused = err([{ path: "", expected: "a model in ONNX format", got: "a JSON file (XGBoost and LightGBM can write such)" }]);
  if (head.size > MAX_MANIFEST_BYTES) return refused;
  const parsed = parseManifest(jsonOf(await blobs.get(blob)));
  if (!parsed.ok) return refused;
  const { model: name, files, examples = null, scored = null } = parsed.value;
  const { [name]: model, ...beside } = asBlobIds(files);
  return model === undefined ? refused : ok({ model, beside: new Map(Object.entries(beside)), examples, scored });
}

function jsonOf(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch {
    return undefined;
  }
}

/** The schema has looked at every one. */
const asBlobIds = (files: Readonly<Record<string, string>>) => files as Readonly<Record<string, BlobId>>;

async function headOf(path: string): Promise<{ readonly first: number | undefined; readonly size: number }> {
  const file = await open(path, "r");
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(1), 0, 1, 0);
    return { first: bytesRead === 1 ? buffer[0] : undefined, size: (await file.stat()).size };
  } finally {
    await file.close();
  }
}
