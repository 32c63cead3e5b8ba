/** What stands in the way of deleting something: the releases that are made of it, and protected aliases of what it made. */
import type { Transaction } from "kysely";
import type { Schema } from "../store/index.ts";
import type { Lineage, LineageNode } from "./lineage.ts";
import { aliasesOf } from "./aliases.ts";

/** Names shown of each kind; more are counted. */
const SHOWN = 3;

/**
 * Why a run or a model version can't be deleted, or undefined where nothing points at it.
 * @param node - `run` or `model_version`
 */
export async function heldBy(tx: Transaction<Schema>, lineage: Lineage, node: LineageNode): Promise<string | undefined> {
  const releases = await releasesOf(tx, await lineage.reached(node, "release", tx));
  if (releases.length > 0)
    return `${releases.length === 1 ? "the release" : "the releases"} ${listed(releases)} ${releases.length === 1 ? "is" : "are"} made of it`;
  const aliases = await protectedAliasesOf(tx, await lineage.reached(node, "model_version", tx));
  if (aliases.length > 0)
    return `the protected ${aliases.length === 1 ? "alias" : "aliases"} ${listed(aliases)} ${aliases.length === 1 ? "points" : "point"} at ${node.kind === "run" ? "what it made" : "it"}`;
  return undefined;
}

/** As people call them, in the order in which they were made. */
async function releasesOf(db: Transaction<Schema>, ids: readonly string[]): Promise<string[]> {
  const found: { readonly endpoint: string; readonly number: number }[] = [];
  for (let at = 0; at < ids.length; at += IDS_AT_ONCE)
    found.push(
      ...(await db
        .selectFrom("release")
        .select(["endpoint", "number"])
        .where("id", "in", ids.slice(at, at + IDS_AT_ONCE))
        .execute()),
    );
  return found.map(({ endpoint, number }) => `${endpoint}/r${number}`).toSorted();
}

async function protectedAliasesOf(db: Transaction<Schema>, ids: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (let at = 0; at < ids.length; at += IDS_AT_ONCE) {
    const versions = await db
      .selectFrom("model_version")
      .innerJoin("model_protected_alias", "model_protected_alias.model", "model_version.model")
      .select(["model_version.model", "model_version.number", "model_protected_alias.alias"])
      .where("model_version.id", "in", ids.slice(at, at + IDS_AT_ONCE))
      .where("model_version.deleted_at_ms", "is", null)
      .execute();
    for (const { model, number, alias } of versions) {
      const aliases = await aliasesOf(db, model);
      if (Object.hasOwn(aliases, alias) && aliases[alias] === number) found.push(`${model}@${alias}`);
    }
  }
  return found;
}

/** Well below what either database takes in one statement. */
const IDS_AT_ONCE = 500;

const listed = (names: readonly string[]): string =>
  names.length > SHOWN ? `${names.slice(0, SHOWN).join(", ")} and ${names.length - SHOWN} more` : names.join(", ");
