/** YAML that people write: bounded, parsed once, with line and column in every complaint. */
import type { Static, TSchema } from "typebox";
import { LineCounter, isMap, isPair, isScalar, isSeq, parseAllDocuments, type Document, type Node, type Scalar } from "yaml";
import { checked } from "./checked.ts";
import { err, ok, type Issue, type Result } from "./std.ts";

const MAX_BYTES = 1024 * 1024;
const MAX_ALIASES = 100;

/** One document of a file, with what finds the place of a value in it. */
export interface YamlDocument {
  readonly value: unknown;
  /** Adds line and column to an issue whose path points into this document. */
  locate(issue: Issue): Issue;
}

/** Parses all documents of a text. Repeated keys, unknown tags and alias bombs are refused. */
export function parseYaml(text: string): Result<readonly YamlDocument[], readonly Issue[]> {
  if (Buffer.byteLength(text) > MAX_BYTES)
    return err([
      {
        path: "",
        expected: `at most ${MAX_BYTES.toLocaleString("en")} bytes of YAML`,
        got: `${Buffer.byteLength(text).toLocaleString("en")}`,
      },
    ]);
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines, uniqueKeys: true, strict: true, version: "1.2" });
  const list: Document.Parsed[] = Array.isArray(documents) ? documents : [];
  const broken = list.flatMap((document) => [...document.errors, ...document.warnings]);
  if (broken.length > 0) {
    return err(
      broken.slice(0, 5).map((error): Issue => {
        const [at] = error.linePos ?? [];
        return {
          path: "",
          expected: "valid YAML",
          got: (error.message.split("\n")[0] ?? error.code).replace(/ at line \d+, column \d+:?$/, "").slice(0, 200),
          ...(at ? { line: at.line, column: at.col } : {}),
        };
      }),
    );
  }
  try {
    return ok(
      list
        .filter((document) => document.contents !== null)
        .map((document) => ({
          value: plain(document.toJS({ maxAliasCount: MAX_ALIASES })),
          locate: (issue) => located(document, lines, issue),
        })),
    );
  } catch (error) {
    return err([{ path: "", expected: `at most ${MAX_ALIASES} aliases`, got: error instanceof Error ? error.message : "more" }]);
  }
}

/** Checks a document against a schema; issues carry line and column. */
export function checkedYaml<S extends TSchema>(schema: S): (document: YamlDocument) => Result<Static<S>, readonly Issue[]> {
  const check = checked(schema);
  return (document) => {
    const result = check(document.value);
    return result.ok ? result : err(result.error.map((issue) => document.locate(issue)));
  };
}

/** A copy in which `__proto__` is a key like any other, so that a schema sees and refuses it. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
}

/**
 * The place of the value that a JSON pointer names; where there is none (a missing field), of its parent. An issue that has a place within
 * a text of one line (an expression) is shown there.
 */
function located(document: Document.Parsed, lines: LineCounter, issue: Issue): Issue {
  let node: Node | null = document.contents;
  let offset = node?.range?.[0] ?? 0;
  for (const part of issue.path.split("/").slice(1)) {
    const key = part.replaceAll("~1", "/").replaceAll("~0", "~");
    if (isMap(node)) {
      const pair = node.items.find((item) => isPair(item) && isScalar(item.key) && String(item.key.value) === key);
      if (!pair) break;
      if (isScalar(pair.key)) offset = pair.key.range?.[0] ?? offset;
      node = asNode(pair.value);
    } else if (isSeq(node)) {
      node = asNode(node.items[Number(key)]);
      offset = node?.range?.[0] ?? offset;
    } else break;
  }
  if (issue.line === 1 && issue.column !== undefined && isScalar(node) && isOfOneLine(node)) {
    const quote = node.type === "PLAIN" ? 0 : 1;
    offset = (node.range?.[0] ?? offset) + quote + issue.column - 1;
  }
  const { line, col } = lines.linePos(offset);
  return { ...issue, line, column: col };
}

/** Where what is written is what is meant, letter for letter. */
const isOfOneLine = ({ type, source, range }: Scalar): boolean => {
  const length = (range?.[1] ?? 0) - (range?.[0] ?? 0) - (type === "PLAIN" ? 0 : 2);
  return (type === "PLAIN" || type === "QUOTE_SINGLE" || type === "QUOTE_DOUBLE") && source?.length === length;
};

/** Values of pairs and items of lists are nodes in a parsed document. */
const asNode = (value: unknown): Node | null => (typeof value === "object" && value !== null ? (value as Node) : null);
