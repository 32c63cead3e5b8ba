/** What all steps share: their arguments, their parameters, and how they end. */
import { readFileSync, realpathSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

/** A step that can't do what it is asked, and says why in one line: exit code 2. Blame takes it as "these parts don't go together". */
export class StepRefusal extends Error {
  override readonly name = "StepRefusal";
}

/**
 * Values of `--name value`, all of which must be there.
 * @param paths - names of those that are paths, resolved against `cwd`
 */
export function argumentsOf<N extends string>(
  argv: readonly string[],
  cwd: string,
  paths: readonly N[],
  ...texts: readonly N[]
): Record<N, string> {
  const names = [...paths, ...texts];
  const options = Object.fromEntries(names.map((name) => [name, { type: "string" as const }]));
  const { values } = parseArgs({ args: [...argv], options, strict: true });
  const found = names.map((name): [N, string] => {
    const value = values[name];
    if (typeof value !== "string") throw new StepRefusal(`expected --${name}`);
    return [name, paths.includes(name) ? resolve(cwd, value) : value];
  });
  return asRecord(found);
}

/** Made from every name. */
const asRecord = <N extends string, V>(entries: readonly (readonly [N, V])[]) => Object.fromEntries(entries) as Record<N, V>;

/** One named part of the parameters that the pipeline hands to a step. */
export function paramsOf(path: string, name: string): unknown {
  const params: unknown = JSON.parse(readFileSync(path, "utf8"));
  if (!isObject(params) || params[name] === undefined) throw new StepRefusal(`expected the parameters "${name}"`);
  return params[name];
}

export interface NumberRule {
  readonly min: number;
  readonly max: number;
  readonly integer?: true;
}

/**
 * Parameters that are numbers: exactly those of `rules`, within their limits. One that isn't known is refused and not ignored: somebody
 * believes that it does something.
 * @param who - whose parameters they are, for the message
 */
export function numbersIn<N extends string>(
  params: unknown,
  rules: Readonly<Record<N, NumberRule>>,
  who: string,
): Readonly<Record<N, number>> {
  const names = namesOf(rules);
  const takes = `${who} takes ${names.join(", ")}`;
  if (!isObject(params)) throw new StepRefusal(`${takes}: expected an object, got ${JSON.stringify(params)}`);
  const unknown = Object.keys(params).filter((name) => !Object.hasOwn(rules, name));
  if (unknown.length > 0) throw new StepRefusal(`${takes}: it doesn't know ${unknown.join(", ")}`);
  return asRecord(
    names.map((name): [N, number] => {
      const { min, max, integer } = rules[name];
      const value = params[name];
      if (typeof value === "number" && value >= min && value <= max && (!integer || Number.isInteger(value))) return [name, value];
      throw new StepRefusal(
        `${takes}: ${name} is ${integer ? "a whole number" : "a number"} from ${min} to ${max}, not ${JSON.stringify(value)}`,
      );
    }),
  );
}

/** An object literal has no other keys than its type says. */
const namesOf = <N extends string>(rules: Readonly<Record<N, unknown>>) => Object.keys(rules) as N[];

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Runs `main` when the module is what Node was started with; a step that is imported waits to be called. */
export async function runAsProcess(importMetaUrl: string, main: (argv: string[], cwd: string) => Promise<void>): Promise<void> {
  const [, script, ...argv] = process.argv;
  if (script === undefined || realpathSync(script) !== realpathSync(fileURLToPath(importMetaUrl))) return;
  try {
    await main(argv, process.cwd());
  } catch (error) {
    console.error(error instanceof StepRefusal ? error.message : error);
    process.exitCode = error instanceof StepRefusal ? 2 : 1;
  }
}
