/** The form of a verb of the command line. Exit codes: 0 done · 1 refused or failed, said why · 2 called wrongly · 3 done, with something that needs a person. */
import { parseArgs, type ParseArgsConfig } from "node:util";
import { nearest } from "../checked.ts";
import type { EvenkeelClient } from "../client.ts";
import type { Io } from "./io.ts";

type Options = NonNullable<ParseArgsConfig["options"]>;

export interface VerbContext {
  readonly io: Io;
  /** Connects when first asked for; fails with a sentence that says how to start or name a server. */
  readonly client: () => EvenkeelClient;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface Verb {
  readonly name: string;
  /** First line: what it does. Then usage, options, examples. Shown by `--help`. */
  readonly help: string;
  run(argv: readonly string[], context: VerbContext): Promise<number>;
}

/** Options of every verb that talks to a server. */
export const CONNECTION = {
  url: { type: "string" },
  token: { type: "string" },
  data: { type: "string" },
  json: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const satisfies Options;

/** Thrown by a verb for a call that can't be meant so; `call` shows it with the usage and exits 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

type Parsed<O extends Options> = ReturnType<typeof parseArgs<{ options: O & typeof CONNECTION; allowPositionals: true; strict: true }>>;

/** Builds a verb from its options; `run` gets them parsed and typed. */
export function verb<const O extends Options>(definition: {
  readonly name: string;
  readonly help: string;
  /** Words besides options: at most so many. */
  readonly words: number;
  readonly options: O;
  run(parsed: Parsed<O>, context: VerbContext): Promise<number>;
}): Verb {
  return {
    name: definition.name,
    help: definition.help,
    async run(argv, context) {
      if (argv.includes("--help") || argv.includes("-h")) {
        context.io.out(definition.help);
        return 0;
      }
      let parsed: Parsed<O>;
      try {
        parsed = parseArgs({ args: [...argv], options: { ...definition.options, ...CONNECTION }, allowPositionals: true, strict: true });
      } catch (error) {
        throw new UsageError(parseTrouble(error, Object.keys({ ...definition.options, ...CONNECTION })));
      }
      const extra = parsed.positionals.slice(definition.words);
      if (extra.length > 0) throw new UsageError(`"${extra.join(" ")}" is too much`);
      return await definition.run(parsed, context);
    },
  };
}

/** What Node's parser of arguments says, in one sentence of ours. */
function parseTrouble(error: unknown, known: readonly string[]): string {
  const message = error instanceof Error ? error.message : String(error);
  const [, unknown] = /^Unknown option '(-[^']*)'/.exec(message) ?? [];
  if (unknown === undefined) return message.split("\n")[0] ?? message;
  const near = nearest(unknown.replace(/^-+/, ""), known);
  return `there is no option ${unknown}${near ? `; did you mean --${near}?` : ""}`;
}

export function incidentNumber(text: string): number {
  if (!/^[1-9]\d{0,14}$/.test(text)) throw new UsageError(`an incident has a number, such as 7, not "${text}"`);
  return Number(text);
}

/** Making a release may mean that the server fetches an image and waits until what is inside is ready. */
export const LOADING = { timeoutMs: 15 * 60_000 };

/** What a page of a list may have. */
export const PAGE = { min: 1, max: 1000 };

/** A whole number that an option was given. */
export function wholeNumber(
  option: string,
  text: string,
  { min, max = Number.MAX_SAFE_INTEGER }: { readonly min: number; readonly max?: number },
): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new UsageError(
    `${option} takes a whole number from ${min}${max === Number.MAX_SAFE_INTEGER ? "" : ` to ${max.toLocaleString("en")}`}, not "${text}"`,
  );
}
