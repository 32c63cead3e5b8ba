/** HTML in which every text is escaped, since nothing but what this file made is anything else. */
import { assert } from "../../std.ts";

/** Markup that needs no escaping any more. Made in this file only. */
export class Markup {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** A style element whose text stays letter for letter what the hash in the page's policy was made of. */
export function styleElement(css: string): Markup {
  assert(!css.includes("<"), "a style sheet that can't end its element");
  return new Markup(`<style>${css}</style>`);
}

type Part = Markup | string | number | null | false | readonly Part[];

/** Builds markup: texts and numbers in it are escaped, markup isn't, lists are joined, `null` and `false` are nothing. */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Markup {
  // Where the source breaks a line for its own readers, a browser needs no more than that.
  return new Markup(strings.map((string, i) => textOf(parts[i - 1] ?? null) + string.replaceAll(/\s*\n\s*/g, "\n")).join(""));
}

function textOf(part: Part): string {
  if (part === null || part === false) return "";
  if (part instanceof Markup) return part.text;
  if (typeof part === "object") return part.map(textOf).join("");
  return escaped(String(part));
}

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
/** Controls and what turns the direction of text round are other people's tricks: they are shown as what they are. */
const escaped = (text: string): string =>
  text
    .replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? character)
    .replaceAll(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, (character) =>
      character === "\n" ? " " : `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
    );
