/**
 * JSON about people is read strictly: what `JSON.parse` lets pass in silence (a repeated key, a broken character, a number that
 * turns into Infinity, 10⁶ nested brackets) is refused with its place. Traps 9–11 and T6 of the threat catalogue.
 */
import { isUtf8 } from "node:buffer";
import { err, ok, type Issue, type Result } from "../std.ts";

export interface JsonLimits {
  readonly maxDepth: number;
  readonly maxKeys: number;
  readonly maxStringLength: number;
}
export const JSON_LIMITS: JsonLimits = { maxDepth: 32, maxKeys: 1000, maxStringLength: 65_536 };

/** @returns the value with the very text that was sent, or what is wrong and where */
export function parseStrictJson(
  bytes: Uint8Array,
  limits: JsonLimits = JSON_LIMITS,
): Result<{ readonly text: string; readonly value: unknown }, Issue> {
  if (!isUtf8(bytes)) return err({ path: "", expected: "UTF-8 text", got: "bytes that are not valid UTF-8" });
  // A byte-order mark stays in the text, where JSON.parse then refuses it.
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
  const shape = scan(text, limits);
  if (typeof shape === "object") return err(shape);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return err({ path: "", expected: "JSON", got: error instanceof Error ? error.message : "something else" });
  }
  const content = shape === "plain" ? undefined : walk(value, "", limits);
  return content ? err(content) : ok({ text, value });
}

const QUOTE = 34;
const BACKSLASH = 92;
const OPEN_BRACE = 123;
const CLOSE_BRACE = 125;
const OPEN_BRACKET = 91;
const CLOSE_BRACKET = 93;
const COLON = 58;
const ZERO = 48;
const NINE = 57;
const EXPONENT = 0x65; // e, and E in lower case
/** So many digits without an exponent are still far from infinity. */
const MAX_DIGITS = 300;
const FORBIDDEN = new Set(["__proto__", "constructor", "prototype"]);

/**
 * One pass over the text, outside strings: depth and keys. Syntax is left to `JSON.parse`.
 * @returns `plain` where nothing of what `walk` looks for can be in it: valid UTF-8 without escapes has no NUL and no half surrogate that
 *   JSON.parse lets pass, and numbers of few digits without an exponent are finite
 */
function scan(text: string, limits: JsonLimits): Issue | "plain" | "to be walked" {
  const hasEscapes = text.includes("\\");
  const open: (Set<string> | null)[] = [];
  let keys = 0;
  let digits = 0;
  let isPlain = !hasEscapes;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code >= ZERO && code <= NINE) {
      if (++digits > MAX_DIGITS) isPlain = false;
      continue;
    }
    if (digits > 0 && (code | 0x20) === EXPONENT) isPlain = false;
    digits = 0;
    if (code === OPEN_BRACE || code === OPEN_BRACKET) {
      if (open.length >= limits.maxDepth) return { path: "", expected: `at most ${limits.maxDepth} levels of nesting`, got: "more" };
      open.push(code === OPEN_BRACE ? new Set() : null);
    } else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) {
      open.pop();
    } else if (code === QUOTE) {
      const start = at;
      at = endOfString(text, at + 1, hasEscapes);
      if (at - start - 1 > limits.maxStringLength) isPlain = false;
      const seen = open.at(-1);
      if (!seen || !isKey(text, at + 1)) continue;
      const raw = text.slice(start + 1, at);
      const key = hasEscapes && raw.includes("\\") ? unescaped(`"${raw}"`) : raw;
      if (key === undefined) continue;
      if (FORBIDDEN.has(key)) return { path: `/${key}`, expected: "a field of the documented body", got: `the reserved name "${key}"` };
      if (seen.has(key)) return { path: `/${key}`, expected: "every key once", got: `"${key}" twice in one object` };
      seen.add(key);
      if (++keys > limits.maxKeys) return { path: "", expected: `at most ${limits.maxKeys} keys`, got: "more" };
    }
  }
  return isPlain ? "plain" : "to be walked";
}

/** Where the quote is that ends the string; the text's end where there is none. */
function endOfString(text: string, from: number, hasEscapes: boolean): number {
  if (!hasEscapes) {
    const end = text.indexOf('"', from);
    return end < 0 ? text.length : end;
  }
  let at = from;
  while (at < text.length && text.charCodeAt(at) !== QUOTE) at += text.charCodeAt(at) === BACKSLASH ? 2 : 1;
  return Math.min(at, text.length);
}

/** Whether a colon follows, white space aside: then the string before it was a key. */
function isKey(text: string, from: number): boolean {
  let at = from;
  while (at < text.length && text.charCodeAt(at) <= 32) at++;
  return text.charCodeAt(at) === COLON;
}

/** The text behind a quoted key with escapes, so that `"\u005f_proto__"` is seen for what it is. */
function unescaped(quoted: string): string | undefined {
  try {
    const value: unknown = JSON.parse(quoted);
    return typeof value === "string" ? value : undefined;
  } catch {
    return undefined; // JSON.parse of the whole will name the place
  }
}

/** Numbers must be finite; texts must be storable by both databases and comparable. Depth is bounded by the scan. */
function walk(value: unknown, path: string, limits: JsonLimits): Issue | undefined {
  if (typeof value === "number")
    return Number.isFinite(value) ? undefined : { path, expected: "a finite number", got: "a number too large for 64 bits" };
  if (typeof value === "string") {
    if (value.length > limits.maxStringLength)
      return { path, expected: `at most ${limits.maxStringLength} characters`, got: String(value.length) };
    if (value.includes("\0")) return { path, expected: "text without NUL characters", got: "a NUL character" };
    return value.isWellFormed() ? undefined : { path, expected: "well-formed Unicode", got: "half of a surrogate pair" };
  }
  if (typeof value !== "object" || value === null) return undefined;
  for (const [key, item] of Object.entries(value)) {
    if (key.includes("\0") || !key.isWellFormed())
      return { path, expected: "keys of well-formed text", got: "a key with NUL or half a surrogate pair" };
    const found = walk(item, `${path}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`, limits);
    if (found) return found;
  }
  return undefined;
}
