/** Rows of a file of people, one after the other, each with its line: CSV typed by the endpoint's inputs, or NDJSON as it is. */
import { createReadStream } from "node:fs";
import { ProtocolRow, csvValue, roleOf, type Role } from "../api/index.ts";
import { CsvParser, TableProblem, decodedText } from "../registry/index.ts";

/** An application, not yet checked. */
export interface FileRow {
  /** 1-based. */
  readonly line: number;
  readonly body: object;
}

/** A row or line that can't be read. */
export class BadLine extends Error {
  override readonly name = "BadLine";
  readonly line: number;
  constructor(line: number, message: string) {
    super(message);
    this.line = line;
  }
}

/** What an endpoint asks, as its metadata tells it. */
export interface Asked {
  readonly inputs: Readonly<Record<string, { readonly type: "number" | "integer" | "boolean" | "string"; readonly optional?: boolean }>>;
  readonly groups: Readonly<Record<string, string[]>>;
}

const MAX_LINE = 1024 * 1024;

/** @throws BadLine */
export async function* csvRows(path: string, asked: Asked, drop: ReadonlySet<string>): AsyncGenerator<FileRow> {
  let found: FileRow[] = [];
  let columns: readonly (Role | undefined)[] = [];
  const parser = new CsvParser({
    header(names) {
      columns = names.map((name) => {
        const role = roleOf(asked, name);
        if (drop.has(name)) return undefined;
        if (role && role.kind !== "key") return role;
        const known = [...Object.keys(asked.inputs), ...Object.keys(asked.groups), "subject"].join(", ");
        throw new BadLine(1, `column "${name}": expected one of ${known}; --drop ${name} leaves it out`);
      });
      const missing = Object.entries(asked.inputs).find(
        ([name, { optional }]) => !optional && !columns.some((role) => role?.kind === "input" && role.name === name),
      );
      if (missing) throw new BadLine(1, `expected a column "${missing[0]}"`);
    },
    row(cells, line) {
      const row = new ProtocolRow();
      for (const [j, role] of columns.entries())
        if (role) row.set(role, csvValue(cells[j] ?? null, role.kind === "input" ? asked.inputs[role.name]?.type : "string"));
      found.push({ line, body: row.body });
    },
  });
  try {
    for await (const text of decodedText(createReadStream(path))) {
      parser.push(text);
      yield* found;
      found = [];
    }
    parser.end();
    yield* found;
  } catch (error) {
    if (!(error instanceof TableProblem)) throw error;
    throw new BadLine(error.issue.line ?? 1, `expected ${error.issue.expected}, got ${error.issue.got ?? "something else"}`);
  }
}

/** One application a line, as the body of a single decision. @throws BadLine */
export async function* ndjsonRows(path: string): AsyncGenerator<FileRow> {
  let line = 0;
  let rest = "";
  const read = (text: string): FileRow | undefined => {
    line++;
    if (text.trim() === "") return undefined;
    let body: unknown;
    try {
      body = JSON.parse(text);
    } catch (error) {
      throw new BadLine(line, `expected JSON: ${error instanceof Error ? error.message : "it is none"}`);
    }
    if (typeof body !== "object" || body === null || Array.isArray(body) || "key" in body)
      throw new BadLine(line, "expected an object with inputs, and groups and subject where known");
    return { line, body };
  };
  try {
    for await (const text of decodedText(createReadStream(path))) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      if (rest.length > MAX_LINE) throw new BadLine(line + lines.length + 1, "expected a line of at most 1 MiB");
      for (const each of lines) {
        const row = read(each);
        if (row) yield row;
      }
    }
  } catch (error) {
    if (!(error instanceof TableProblem)) throw error;
    throw new BadLine(error.issue.line ?? 1, `expected ${error.issue.expected}, got ${error.issue.got ?? "something else"}`);
  }
  const row = rest === "" ? undefined : read(rest);
  if (row) yield row;
}
