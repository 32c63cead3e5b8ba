/* oxlint-disable no-control-regex -- control characters are what this file keeps out */
/** What a verb says and to whom: results on standard output, everything else on standard error. */
import { styleText } from "node:util";
import type { Problem } from "../api/index.ts";
import type { Issue } from "../std.ts";

export interface Io {
  /** Whether colours, progress bars and aligned tables make sense: standard output is a terminal. */
  readonly isTerminal: boolean;
  /** A result, one line or several. */
  out(text: string): void;
  /** What is going on, warnings, errors. */
  note(text: string): void;
  /** Shows how far long work is, on a terminal only; `undefined` clears the line. */
  progress(label: string | undefined, done?: number, total?: number): void;
  /** How much of what was said reached nobody: its reader is gone, or the disk that it goes to is full. */
  dropped(): number;
}

type Style = Parameters<typeof styleText>[0];

/** Colours a text where a person looks at it. */
export function styled(io: Io, style: Style, text: string): string {
  return io.isTerminal ? styleText(style, text, { validateStream: false }) : text;
}

/** @param streams - the process's own, or a test's */
export function streamsIo(streams: { readonly out: NodeJS.WriteStream; readonly err: NodeJS.WriteStream }): Io {
  // `evenkeel decisions | head -1` closes our output early: that is not an error.
  for (const stream of [streams.out, streams.err]) stream.on("error", () => undefined);
  const isTerminal = streams.out.isTTY && !process.env["NO_COLOR"];
  let hasProgress = false;
  let dropped = 0;
  const say = (stream: NodeJS.WriteStream, text: string) =>
    void stream.write(`${text}\n`, (error) => {
      if (error) dropped++;
    });
  const clear = () => {
    if (hasProgress) streams.err.write("\r\u001b[2K");
    hasProgress = false;
  };
  return {
    isTerminal,
    out(text) {
      clear();
      say(streams.out, withoutControls(text, isTerminal));
    },
    note(text) {
      clear();
      // Colours were chosen for standard output; they go to standard error only where that is a terminal as well.
      say(streams.err, streams.err.isTTY ? withoutControls(text, isTerminal) : withoutControls(withoutColours(text), false));
    },
    progress(label, done, total) {
      if (!streams.err.isTTY) return;
      clear();
      if (label === undefined) return;
      const share = done !== undefined && total ? Math.min(1, done / total) : undefined;
      const bar =
        share === undefined
          ? ""
          : `${"█".repeat(Math.round(share * 24)).padEnd(24, "░")} ${String(Math.round(share * 100)).padStart(3)} %  `;
      streams.err.write(`${bar}${label}`.slice(0, (streams.err.columns || 100) - 1));
      hasProgress = true;
    },
    dropped: () => dropped,
  };
}

/** Names come from other people: escape sequences in them must not reach the terminal. Our own colours do. */
function withoutControls(text: string, keepsColours: boolean): string {
  const controls = keepsColours
    ? /\u001b(?!\[[0-9;]*m)|[\u0000-\u0008\u000b-\u001a\u001c-\u001f\u007f\u202a-\u202e\u2066-\u2069]/g
    : /[\u0000-\u0008\u000b-\u001f\u007f\u202a-\u202e\u2066-\u2069]/g;
  return text.replace(controls, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** Columns aligned for reading; numbers to the right. An empty list says so. */
export function table(
  io: Io,
  columns: readonly string[],
  rows: readonly (readonly (string | number | null)[])[],
  empty = "nothing yet",
): string {
  if (rows.length === 0) return styled(io, "dim", empty);
  const text = rows.map((row) => row.map((cell) => (cell === null ? "–" : typeof cell === "number" ? cell.toLocaleString("en") : cell)));
  const isNumber = columns.map((_, i) => rows.every((row) => typeof row[i] === "number" || row[i] === null));
  const width = columns.map((name, i) => Math.max(visibleLength(name), ...text.map((row) => visibleLength(row[i] ?? ""))));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => {
        const gap = " ".repeat(Math.max(0, (width[i] ?? 0) - visibleLength(cell)));
        return isNumber[i] ? gap + cell : i === cells.length - 1 ? cell : cell + gap;
      })
      .join("  ");
  return [styled(io, "dim", line(columns)), ...text.map(line)].join("\n");
}
const withoutColours = (text: string) => text.replaceAll(/\u001b\[[0-9;]*m/g, "");
const visibleLength = (text: string) => withoutColours(text).length;

/** One thing that is wrong with a file or a request, as one line. */
export function issueLine({ path, line, column, expected, got, hint }: IssueText): string {
  const place = line === undefined ? path || "/" : `line ${line}, column ${column ?? 1}${path ? ` (${path})` : ""}`;
  return `  ${place}: expected ${expected}${got === undefined ? "" : `, got ${got}`}${hint ? `; ${hint}` : ""}`;
}
type IssueText = NonNullable<Problem["errors"]>[number] | Issue;
