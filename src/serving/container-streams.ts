/** What the Docker Engine API says in forms of its own: logs in frames, pulls as lines of JSON, credentials in a header. Pure. */
import { valueAt } from "../checked.ts";

/** One line that a container printed. */
export interface LogLine {
  readonly stream: "stdout" | "stderr";
  /** When, as the engine says it (RFC 3339); null where it didn't. */
  readonly at: string | null;
  readonly text: string;
}

const HEADER_BYTES = 8;
const MAX_LINE = 4000;

/** Frames of 8 bytes header (byte 0: 1 stdout, 2 stderr; bytes 4 to 7 length, big-endian) and data. A torn one at the end is left out. */
export function logLines(bytes: Buffer): readonly LogLine[] {
  const lines: LogLine[] = [];
  const open = { stdout: "", stderr: "" };
  for (let at = 0; at + HEADER_BYTES <= bytes.length;) {
    const end = at + HEADER_BYTES + bytes.readUInt32BE(at + 4);
    if (end > bytes.length) break;
    const stream = bytes[at] === 2 ? "stderr" : "stdout";
    const pieces = (open[stream] + bytes.toString("utf8", at + HEADER_BYTES, end)).split("\n");
    open[stream] = pieces.pop() ?? "";
    for (const piece of pieces) lines.push(lineOf(stream, piece));
    at = end;
  }
  for (const stream of ["stdout", "stderr"] as const) if (open[stream] !== "") lines.push(lineOf(stream, open[stream]));
  return lines;
}

function lineOf(stream: LogLine["stream"], line: string): LogLine {
  const [, at, text] = /^(\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)) (.*)$/s.exec(line) ?? [];
  // Terminals obey control characters; a model's log must not.
  const shown = (text ?? line).replace(/\r$/, "").replaceAll(/[\p{Cc}]/gu, (each) => (each === "\t" ? each : "\u{fffd}"));
  return { stream, at: at ?? null, text: shown.length > MAX_LINE ? `${shown.slice(0, MAX_LINE)}…` : shown };
}

/**
 * Why a pull failed: it is answered with 200 and a stream of JSON lines, in which errors come. Undefined when there is none.
 * @param end - of the stream; it may begin in the middle of a line
 */
export function pullTrouble(end: string): string | undefined {
  const lines = end.split("\n").filter((line) => line.trim() !== "");
  for (const [i, line] of lines.entries()) {
    if (i === 0 && !line.startsWith("{")) continue;
    try {
      const told: unknown = JSON.parse(line);
      const message = valueAt(told, "/errorDetail/message") ?? valueAt(told, "/error");
      if (typeof message === "string") return message;
    } catch {
      return "the engine's answer breaks off";
    }
  }
  return undefined;
}

/** The header `X-Registry-Auth`. Some old engines want the padding. */
export function registryAuth(credentials: {
  readonly username: string;
  readonly password: string;
  readonly serveraddress: string;
}): string {
  const { username, password, serveraddress } = credentials;
  const text = Buffer.from(JSON.stringify({ username, password, serveraddress })).toString("base64url");
  return text.padEnd(Math.ceil(text.length / 4) * 4, "=");
}
