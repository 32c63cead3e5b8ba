/** `evenkeel <verb> …`: finds the verb, runs it, and turns what went wrong into a clear line and an exit code. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { nearest } from "../checked.ts";
import { EvenkeelClient, EvenkeelProblem, EvenkeelUnreachable } from "../client.ts";
import { issueLine, styled, type Io } from "./io.ts";
import { UsageError, type VerbContext } from "./verb.ts";
import { verbs } from "./verbs.ts";

const DEFAULT_DATA = "evenkeel-data";

/** Where to find the server: what was said, else the environment, else the control socket in the data folder. */
function connect(argv: readonly string[], env: VerbContext["env"], cwd: string): EvenkeelClient {
  const option = (name: string) => {
    const at = argv.findIndex((word) => word === `--${name}` || word.startsWith(`--${name}=`));
    const word = argv[at];
    return at < 0 ? undefined : word?.includes("=") ? word.slice(word.indexOf("=") + 1) : argv[at + 1];
  };
  const token = option("token") ?? env["EVENKEEL_TOKEN"];
  const url = option("url") ?? env["EVENKEEL_URL"];
  if (url !== undefined && !/^https?:\/\/[^/]/.test(url)) throw new UsageError(`--url takes http://… or https://…, not "${url}"`);
  if (url !== undefined) return new EvenkeelClient({ url, ...(token === undefined ? {} : { token }) });
  const folder = resolve(cwd, option("data") ?? env["EVENKEEL_DATA"] ?? DEFAULT_DATA);
  const socket = join(folder, "control.sock");
  if (existsSync(socket)) return new EvenkeelClient({ socket, ...(token === undefined ? {} : { token }) });
  if (token !== undefined) return new EvenkeelClient({ token });
  throw new EvenkeelUnreachable(
    `no server runs on ${folder}. Start one with \`evenkeel up\`, or name one with --url and --token (or EVENKEEL_URL and EVENKEEL_TOKEN)`,
  );
}

async function overview(io: Io): Promise<string> {
  const width = Math.max(...verbs.map(({ name }) => name.length));
  const all = await Promise.all(verbs.map(({ load }) => load()));
  const lines = all.map((verb) => `  ${verb.name.padEnd(width)}  ${verb.help.split("\n")[0] ?? ""}`);
  return [
    styled(io, "bold", "evenkeel: keeps decisions that models make about people on an even keel"),
    "",
    "usage: evenkeel <verb> [options]      evenkeel <verb> --help shows options and examples",
    "",
    ...lines,
    "",
    "Every verb that reads takes --json. Exit codes: 0 done, 1 refused or failed, 2 called wrongly, 3 done but something needs a person.",
  ].join("\n");
}

function describeProblem(io: Io, error: EvenkeelProblem): string {
  const { title, detail, errors, requestId } = error.problem;
  // A single one that the sentence has named already isn't said twice.
  const isSaid = ({ line, got }: NonNullable<typeof errors>[number]) =>
    errors?.length === 1 && line === undefined && got !== undefined && (detail?.includes(got) ?? false);
  const places = (errors ?? []).filter((issue) => !isSaid(issue)).map(issueLine);
  const reference = error.problem.status >= 500 && requestId ? [`  request ${requestId}`] : [];
  // Of a refusal the detail says all; what is wrong on the server's side needs both.
  const head = detail === undefined ? title : error.problem.status >= 500 ? `${title}: ${detail}` : detail;
  return [styled(io, "red", head), ...places, ...reference].join("\n");
}

/** Both `src/cli/` and `dist/cli/` lie two folders below the package. */
async function ownVersion(): Promise<string> {
  const value: unknown = JSON.parse(await readFile(new URL("../../package.json", import.meta.url), "utf8"));
  return typeof value === "object" && value !== null && "version" in value ? String(value.version) : "unknown";
}

/** @returns the exit code */
export async function commandLine(argv: readonly string[], io: Io, env: VerbContext["env"], cwd: string): Promise<number> {
  const [name, ...rest] = argv;
  if (name === "--version") {
    io.out(await ownVersion());
    return 0;
  }
  const [asked] = rest;
  if (name === "help" && asked !== undefined) return await commandLine([asked, "--help"], io, env, cwd);
  if (name === undefined || name === "--help" || name === "-h" || name === "help") {
    io.out(await overview(io));
    return name === undefined ? 2 : 0;
  }
  const entry = verbs.find((candidate) => candidate.name === name);
  if (!entry) {
    const near = nearest(
      name,
      verbs.map((candidate) => candidate.name),
    );
    io.note(`evenkeel: there is no verb "${name}"${near ? `; did you mean "${near}"?` : ""} (evenkeel --help lists them)`);
    return 2;
  }
  let client: EvenkeelClient | undefined;
  try {
    const verb = await entry.load();
    return await verb.run(rest, { io, cwd, env, client: () => (client ??= connect(rest, env, cwd)) });
  } catch (error) {
    if (error instanceof UsageError) {
      io.note(`evenkeel ${name}: ${error.message} (evenkeel ${name} --help shows options and examples)`);
      return 2;
    }
    if (error instanceof EvenkeelProblem) io.note(rest.includes("--json") ? JSON.stringify(error.problem) : describeProblem(io, error));
    else io.note(`evenkeel ${name}: ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  } finally {
    await client?.close();
  }
}
