import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { freshServer, type FreshServer } from "../../test/server.ts";
import { commandLine } from "./command-line.ts";
import type { Io } from "./io.ts";
import { verbs } from "./verbs.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

let server: FreshServer;
beforeAll(async () => {
  server = await freshServer();
  await evenkeel("apply", "-f", "examples/loans/loans.yaml");
  writeFileSync(join(server.folder, "broken.json"), "{ not json");
  writeFileSync(join(server.folder, "broken.yaml"), "bands:\n  - [deny");
});
afterAll(() => server.drop());

interface Said {
  readonly exitCode: number;
  readonly out: string;
  readonly note: string;
}

async function evenkeel(...argv: string[]): Promise<Said> {
  const [out, note]: [string[], string[]] = [[], []];
  const io: Io = { isTerminal: false, out: (text) => out.push(text), note: (text) => note.push(text), progress: () => undefined };
  const exitCode = await commandLine(argv, io, { EVENKEEL_DATA: server.folder }, ROOT);
  return { exitCode, out: out.join("\n"), note: note.join("\n") };
}

/** Words of a line as a shell would split them. */
const wordsOf = (line: string) => [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? "");

test("every verb has help with a usage and examples, by --help and by help <verb>", async () => {
  for (const { name, help } of verbs) {
    expect(help).toMatch(/\nusage: evenkeel /);
    expect(help).toMatch(/\nexamples?:\n {2}(TOKEN=\$\()?evenkeel /);
    expect(await evenkeel(name, "--help")).toEqual({ exitCode: 0, out: help, note: "" });
    expect((await evenkeel("help", name)).out).toBe(help);
  }
  const overview = await evenkeel("--help");
  expect(overview.exitCode).toBe(0);
  for (const { name } of verbs) expect(overview.out).toContain(`  ${name} `);
});

test("every example in a help is a call that its verb takes", async () => {
  const examples = verbs.flatMap(({ help }) => (/\nexamples?:\n([\s\S]*)$/.exec(help)?.[1] ?? "").split("\n"));
  const calls = examples.map((line) => wordsOf(line.trim())).filter(([program, verb]) => program === "evenkeel" && verb !== "up");
  expect(calls.length).toBeGreaterThan(25);
  for (const [, ...argv] of calls) {
    const said = await evenkeel(...argv);
    expect({ argv, ...said }).not.toMatchObject({ exitCode: 2 });
  }
});

/** What a user typed wrong; what is said of it; the exit code. */
const nonsense: readonly (readonly [call: string, said: string, exitCode: number])[] = [
  ["statsu", 'evenkeel: there is no verb "statsu"; did you mean "status"? (evenkeel --help lists them)', 2],
  [
    "status --jsn",
    "evenkeel status: there is no option --jsn; did you mean --json? (evenkeel status --help shows options and examples)",
    2,
  ],
  ["status a b", 'evenkeel status: "b" is too much (evenkeel status --help shows options and examples)', 2],
  [
    "audit ls --limit lots",
    'evenkeel audit: --limit takes a whole number from 1 to 1,000, not "lots" (evenkeel audit --help shows options and examples)',
    2,
  ],
  ["blame x", 'evenkeel blame: an incident has a number, such as 7, not "x" (evenkeel blame --help shows options and examples)', 2],
  ["blame 1 --yes", "evenkeel blame: --in and --yes go with --retrain (evenkeel blame --help shows options and examples)", 2],
  ["up --port x", 'evenkeel up: --port takes a whole number from 0 to 65,535, not "x" (evenkeel up --help shows options and examples)', 2],
  [
    "up --postgres nonsense",
    "evenkeel up: --postgres takes an address such as postgresql://user:password@127.0.0.1:5432/evenkeel (evenkeel up --help shows options and examples)",
    2,
  ],
  ["up --data package.json --port 0", "evenkeel up: package.json is not a folder: choose another --data", 1],
  [
    "token create --name a --role viewer --days soon",
    'evenkeel token: --days takes a whole number from 1, not "soon" (evenkeel token --help shows options and examples)',
    2,
  ],
  ["apply -f nowhere.yaml", "evenkeel apply: nowhere.yaml can't be read: there is no such file", 1],
  ["data add src --dataset x", "evenkeel data: src can't be read: it is a folder, not a file", 1],
  ["incidents 9", "There is no incident 9 here, or this token may not know of it.", 1],
  ["status loanz", "There is no endpoint loanz: did you mean loans?", 1],
  ["models show absent/1", "There is no model absent.", 1],
  ["status --token ek_viewer_x", "The token is unknown, expired, revoked or mistyped. `evenkeel token create` makes a new one.", 1],
  ["status --url http://127.0.0.1:1", "evenkeel status: no answer from http://127.0.0.1:1: connect ECONNREFUSED 127.0.0.1:1", 1],
];
test.each(nonsense)("evenkeel %s: one clear line, and the documented exit code", async (call, said, exitCode) => {
  expect(await evenkeel(...wordsOf(call))).toEqual({ exitCode, out: "", note: said });
});

test("a server that can't listen says why, and leaves nothing running", async () => {
  const { port } = new URL(server.url);
  const other = join(server.folder, "other");
  const taken = await evenkeel("up", "--data", other, "--port", port);
  expect(taken).toEqual({ exitCode: 1, out: "", note: `evenkeel up: another program listens on 127.0.0.1:${port}: choose another --port` });
  const away = await evenkeel("up", "--data", other, "--port", "0", "--postgres", "postgresql://nobody:secret@127.0.0.1:1/none");
  expect(away).toEqual({ exitCode: 1, out: "", note: "evenkeel up: PostgreSQL doesn't answer: connect ECONNREFUSED 127.0.0.1:1" });
});

test("a broken file is named, with what is wrong in it", async () => {
  const file = (name: string) => join(server.folder, name);
  const json = await evenkeel("decide", "loans", "--file", file("broken.json"));
  expect(json.exitCode).toBe(1);
  expect(json.note).toMatch(/broken[.]json is no JSON: /);
  const yaml = await evenkeel("deploy", "loans", "--model", "credit/1", "--policy", file("broken.yaml"));
  expect(yaml.exitCode).toBe(1);
  expect(yaml.note).toMatch(/broken[.]yaml is no YAML:\n {2}line \d, column \d+: expected valid YAML/);
});

test("everything that reads gives JSON with --json", async () => {
  for (const call of ["status", "incidents", "data ls", "models ls", "runs ls", "audit ls", "audit verify", "token ls"]) {
    const said = await evenkeel(...call.split(" "), "--json");
    expect({ call, exitCode: said.exitCode, read: typeof JSON.parse(said.out) }).toEqual({ call, exitCode: 0, read: "object" });
  }
});

test("a token on the control socket acts as its holder, not as the machine's owner", async () => {
  const made = await evenkeel("token", "create", "--name", "web", "--role", "application");
  const refused = await evenkeel("token", "ls", "--token", made.out);
  expect(refused.exitCode).toBe(1);
  expect(refused.note).toMatch(/The token "web" \(application\) lacks the right tokens:write/);
});

test("--version says the version of the package", async () => {
  expect((await evenkeel("--version")).out).toMatch(/^\d+\.\d+\.\d+/);
});
