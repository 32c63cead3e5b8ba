/** Names of things in the registry, and how to point at one version of a thing. */
import type { Issue } from "../std.ts";

/** Names stand before `@` and `/` in references, so they hold neither. */
const NAME = /^[\p{L}\p{N}][\p{L}\p{N}._+=-]{0,99}$/u;
/** A tag is no number, or `credit/3` and `credit@3` would be two different things. */
const LABEL = /^(?![0-9]+$)[\p{L}\p{N}][\p{L}\p{N}._-]{0,254}$/u;
const SEGMENT = /^[\p{L}\p{N}._@+=, -]{1,255}$/u;

export function nameIssue(path: string, name: string): Issue | undefined {
  if (NAME.test(name)) return undefined;
  return { path, expected: "1 to 100 letters, digits and . _ + = -, beginning with a letter or digit", got: shortened(name) };
}

/** Aliases of models are those that MLflow takes, numbers among them, and may have dots. */
const ALIAS = /^[\p{L}\p{N}_-][\p{L}\p{N}._-]{0,254}$/u;
/** What clients of MLflow take for the newest version, or for a version's number. */
const RESERVED_ALIAS = /^(latest|v\d+)$/i;

export function aliasIssue(path: string, alias: string): Issue | undefined {
  if (!ALIAS.test(alias)) return { path, expected: "1 to 255 letters, digits and . _ -, beginning with no dot", got: shortened(alias) };
  if (!RESERVED_ALIAS.test(alias)) return undefined;
  return { path, expected: "an alias that MLflow's clients don't take for a version: not latest, v1, v2 …", got: alias };
}

/** For tags of datasets. */
export function labelIssue(path: string, label: string): Issue | undefined {
  if (LABEL.test(label)) return undefined;
  return {
    path,
    expected: "1 to 255 letters, digits and . _ -, beginning with a letter or digit, and not a number",
    got: shortened(label),
  };
}

/**
 * Paths of artifacts are keys: their bytes lie under their hash, and no text of a user's becomes part of a file's path. They are still
 * kept to a form that is harmless wherever somebody exports them to.
 */
export function artifactPathIssue(path: string, key: string): Issue | undefined {
  const isGood =
    Buffer.byteLength(key) <= 1024 &&
    key === key.normalize("NFC") &&
    key.split("/").every((segment) => SEGMENT.test(segment) && segment !== "." && segment !== "..");
  if (isGood) return undefined;
  return { path, expected: "names of letters, digits and . _ @ + = , - joined by /, without . or .. alone", got: shortened(key) };
}

const shortened = (text: string) => (text.length > 60 ? `${text.slice(0, 57)}…` : text);

/** One version: `name/3`, `name@label`, or its content id. */
export type Reference =
  | { readonly kind: "number"; readonly name: string; readonly number: number }
  | { readonly kind: "label"; readonly name: string; readonly label: string }
  | { readonly kind: "id"; readonly id: string };

/**
 * Reads `credit/3`, `credit@champion`, `models:/credit@champion` (also `datasets:/…`) and content ids (`mdl:…`, `tbl:…`, `dir:…`, of a dataset also its file's `sha256:…`).
 * Undefined for anything else, a bare name too: what it points at would change without anybody saying so.
 */
export function parseReference(text: string): Reference | undefined {
  if (/^(mdl|tbl|dir|sha256):[0-9a-f]{64}$/.test(text)) return { kind: "id", id: text };
  const bare = text.replace(/^(models|datasets):\//, "");
  const [, name = "", sign, rest = ""] = /^([^@/]+)([@/])(.+)$/u.exec(bare) ?? [];
  if (nameIssue("", name)) return undefined;
  if (sign === "/") return /^[1-9]\d{0,8}$/.test(rest) ? { kind: "number", name, number: Number(rest) } : undefined;
  return ALIAS.test(rest) ? { kind: "label", name, label: rest } : undefined;
}

/** Where a tag or alias points. `constructor` is a name that people may give, and every object answers to. */
export const pointsAt = (labels: Readonly<Record<string, number>>, label: string): number | undefined =>
  Object.hasOwn(labels, label) ? labels[label] : undefined;

/** What a reference has to look like, for an error. */
export const REFERENCE_FORM = "name/NUMBER, name@LABEL or a content id";

/** Which versions there are, for a hint: `versions 1 to 3`. */
export const versionsText = (latest: number): string => (latest === 1 ? "version 1 only" : `versions 1 to ${latest}`);
/** Which names there are, for a hint: `the tags clean, live`, or `no tag`. */
export const namesText = (one: string, many: string, names: readonly string[]): string =>
  names.length === 0 ? `no ${one}` : `the ${names.length === 1 ? one : many} ${names.join(", ")}`;
