/** YAML that a person wrote, read so that whatever is wrong with it can be pointed at. Pure. */
import { isMap, isPair, isScalar, LineCounter, parseDocument, type Document } from "yaml";
import { err, ok, type Issue, type Result } from "../std.ts";

export interface YamlText {
  readonly value: unknown;
  /** Adds the line and column of what an issue's path points at. */
  place(issue: Issue): Issue;
}

/** Configuration is written by people; more than this wasn't. */
export const YAML_BYTES_MAX = 1024 * 1024;
/** Each alias is copied when read: without a bound nine lines can become gigabytes. */
const ALIASES_MAX = 100;

/**
 * Parses YAML 1.2 (so `no` is a text, and `1.10` a number: versions must be quoted). Refused: more than 1 MiB, more than one
 * document, keys that are there twice or are no texts, tags of programs, more than 100 aliases.
 */
export function parseYaml(text: string): Result<YamlText, readonly Issue[]> {
  const bytes = Buffer.byteLength(text);
  if (bytes > YAML_BYTES_MAX) return err([{ path: "", expected: `at most ${YAML_BYTES_MAX} bytes of YAML`, got: `${bytes} bytes` }]);
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, version: "1.2", uniqueKeys: true, stringKeys: true, prettyErrors: false });
  const troubles = [...document.errors, ...document.warnings];
  if (troubles.length > 0) {
    return err(
      troubles.slice(0, 20).map(({ message, pos }) => {
        const { line, col } = lines.linePos(pos[0]);
        return { path: "", expected: "YAML", got: firstSentence(message), line, column: col };
      }),
    );
  }
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: ALIASES_MAX });
  } catch (error) {
    if (!(error instanceof ReferenceError)) throw error; // what `yaml` throws for aliases that are too many or lead nowhere
    return err([{ path: "", expected: `at most ${ALIASES_MAX} aliases`, got: error.message }]);
  }
  const hostile = hostileKey(value);
  if (hostile !== undefined) return err([{ path: hostile, expected: "another name", got: "a name that JavaScript keeps for itself" }]);
  return ok({
    value,
    place(issue) {
      const offset = offsetOf(document, issue.path);
      if (offset === undefined || issue.line !== undefined) return issue;
      const { line, col } = lines.linePos(offset);
      return { ...issue, line, column: col };
    },
  });
}

const firstSentence = (message: string) => message.split("\n")[0] ?? message;

/** `__proto__` as a key would become a field of its own kind further on. */
function hostileKey(value: unknown, path = ""): string | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  for (const [key, inner] of Object.entries(value)) {
    const at = `${path}/${key}`;
    if (key === "__proto__" || key === "constructor") return at;
    const found = hostileKey(inner, at);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Where the key that a pointer ends in stands; where nothing does, that of the nearest thing around it. */
function offsetOf(document: Document, pointer: string): number | undefined {
  let node: unknown = document.contents;
  let offset = rangeStart(node);
  for (const part of pointer.split("/").slice(1)) {
    const name = part.replaceAll("~1", "/").replaceAll("~0", "~");
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === name);
      if (!isPair(pair)) return offset;
      offset = rangeStart(pair.key) ?? offset;
      node = pair.value;
    } else {
      const item: unknown = document.contents !== null && hasItems(node) ? node.items[Number(name)] : undefined;
      if (item === undefined) return offset;
      offset = rangeStart(item) ?? offset;
      node = item;
    }
  }
  return offset;
}

const hasItems = (node: unknown): node is { readonly items: readonly unknown[] } =>
  typeof node === "object" && node !== null && "items" in node && Array.isArray(node.items);

function rangeStart(node: unknown): number | undefined {
  if (typeof node !== "object" || node === null || !("range" in node) || !Array.isArray(node.range)) return undefined;
  const [start]: readonly unknown[] = node.range;
  return typeof start === "number" ? start : undefined;
}
