/**
 * The part of Evenkeel that turns inputs into features: training and serving use the same code, so they can't disagree.
 * Steps run from a copy of this folder, where a relative path to it leads nowhere; so the package is found by its name.
 */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";

const home = dirname(createRequire(import.meta.url).resolve("evenkeel/package.json"));
/** A checkout has sources, an installed package has what was built from them. */
const door = (room: string) => [join(home, "src", room, "index.ts"), join(home, "dist", room, "index.js")].find(existsSync) ?? room;

export const { celVariables, compileFeatures } = asServing(await import(pathToFileURL(door("serving")).href));
export const { parseFeatureSet } = asRegistry(await import(pathToFileURL(door("registry")).href));

/** The door's own types: it is the very module. */
function asServing(module: unknown): typeof import("../../src/serving/index.ts") {
  return module as typeof import("../../src/serving/index.ts");
}
function asRegistry(module: unknown): typeof import("../../src/registry/index.ts") {
  return module as typeof import("../../src/registry/index.ts");
}
