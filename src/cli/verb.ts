/** The form of a verb of the command line. Exit codes: 0 done · 1 refused or failed, said why · 2 called wrongly · 3 done, with something that needs a person. */
import { parseArgs, type ParseArgsConfig } from "node:util";
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
  readonly options: O;
  run(parsed: Parsed<O>, context: VerbContext): Promise<number>;
}): Verb {
  return {
    name: definition.name,
    help: definition.help,
    async run(argv, context) {
      let parsed: Parsed<O>;
      try {
        parsed = parseArgs({ args: [...argv], options: { ...definition.options, ...CONNECTION }, allowPositionals: true, strict: true });
      } catch (error) {
        throw new UsageError(error instanceof Error ? error.message : String(error));
      }
      if (argv.includes("--help") || argv.includes("-h")) {
        context.io.out(definition.help);
        return 0;
      }
      return await definition.run(parsed, context);
    },
  };
}
