import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { said } from "../../test/said.ts";
import { freshServer, type FreshServer } from "../../test/server.ts";
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

const evenkeel = (...argv: string[]) => said(argv, { EVENKEEL_DATA: server.folder }, ROOT);

const allVerbs = () => Promise.all(verbs.map(({ load }) => load()));

/** Words of a line as a shell would split them. */
const wordsOf = (line: string) => [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? "");

test("every verb has help with a usage and examples, by --help and by help <verb>", async () => {
  for (const { name, help } of await allVerbs()) {
    expect(help).toMatch(/\nusage: evenkeel /);
    expect(help).toMatch(/\nexamples?:\n {2}(TOKEN=\$\()?evenkeel /);
    expect(await evenkeel(name, "--help")).toEqual({ code: 0, out: `${help}\n`, err: "" });
    expect((await evenkeel("help", name)).out).toBe(`${help}\n`);
  }
  const overview = await evenkeel("--help");
  expect(overview.code).toBe(0);
  expect((await allVerbs()).map(({ name }) => name)).toEqual(verbs.map(({ name }) => name));
  for (const { name } of verbs) expect(overview.out).toContain(`  ${name} `);
});

test("every example in a help is a call that its verb takes", async () => {
  const examples = (await allVerbs()).flatMap(({ help }) => (/\nexamples?:\n([\s\S]*)$/.exec(help)?.[1] ?? "").split("\n"));
  const calls = examples.map((line) => wordsOf(line.trim())).filter(([program, verb]) => program === "evenkeel" && verb !== "up");
  expect(calls.length).toBeGreaterThan(25);
  for (const [, ...argv] of calls) {
    // Where what one of them writes is in nobody's way.
    const { code, err } = await said(argv, { EVENKEEL_DATA: server.folder }, server.folder);
    expect(code, `${argv.join(" ")}\n${err}`).not.toBe(2);
  }
});

/** What a user typed wrong; what is said of it; the exit code. */
const nonsense: readonly (readonly [call: string, says: string, code: number])[] = [
  [
    "up --allow-egress 127.0.0.1",
    'evenkeel up: --allow-egress takes host:port, [::1]:8080 or 10.0.0.0/8:8080, not "127.0.0.1" (evenkeel up --help shows options and examples)',
    2,
  ],
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
  ["up --data /dev/null/x --port 0", "evenkeel up: /dev/null/x is not a folder: choose another --data", 1],
  ['up --data "" --port 0', "evenkeel up: --data takes a folder, not an empty word (evenkeel up --help shows options and examples)", 2],
  ["up --data package.json --port 0", "evenkeel up: package.json is not a folder: choose another --data", 1],
  [
    "token create --name a --role viewer --days soon",
    'evenkeel token: --days takes a whole number from 1, not "soon" (evenkeel token --help shows options and examples)',
    2,
  ],
  ["apply -f nowhere.yaml", "evenkeel apply: nowhere.yaml can't be read: there is no such file", 1],
  ["data add nowhere.csv --dataset x", "evenkeel data: nowhere.csv can't be read: there is no such file", 1],
  ["incidents 9", "There is no incident 9 here, or this token may not know of it.", 1],
  ["status loanz", "There is no endpoint loanz: did you mean loans?", 1],
  ["models show absent/1", "There is no model absent.", 1],
  ["status --token ek_viewer_x", "The token is unknown, expired, revoked or mistyped. `evenkeel token create` makes a new one.", 1],
  ["status --url http://127.0.0.1:1", "evenkeel status: no answer from http://127.0.0.1:1: connect ECONNREFUSED 127.0.0.1:1", 1],
];
test.each(nonsense)("evenkeel %s: one clear line, and the documented exit code", async (call, says, code) => {
  expect(await evenkeel(...wordsOf(call))).toEqual({ code, out: "", err: `${says}\n` });
});

test("a server that can't listen says why, and leaves nothing running", async () => {
  const { port } = new URL(server.url);
  const other = join(server.folder, "other");
  const taken = await evenkeel("up", "--data", other, "--port", port);
  expect(taken).toEqual({ code: 1, out: "", err: `evenkeel up: another program listens on 127.0.0.1:${port}: choose another --port\n` });
  const away = await evenkeel("up", "--data", other, "--port", "0", "--postgres", "postgresql://nobody:secret@127.0.0.1:1/none");
  expect(away).toEqual({ code: 1, out: "", err: "evenkeel up: PostgreSQL doesn't answer: connect ECONNREFUSED 127.0.0.1:1\n" });
});

test.skipIf(!existsSync("/proc/self"))("a folder in which none can be made is refused at once, instead of tried for ever", async () => {
  for (const folder of ["/proc/self", "/proc/absent/folder"])
    expect(await evenkeel("up", "--data", folder, "--port", "0")).toEqual({
      code: 1,
      out: "",
      err: `evenkeel up: no folder can be made at ${folder}: choose another --data\n`,
    });
});

test("a folder of another server, or with files of others in it, is refused in a line", async () => {
  const others = join(server.folder, "others");
  mkdirSync(others);
  writeFileSync(join(others, "evenkeel.db"), "x".repeat(4096));
  const db = await evenkeel("up", "--data", others, "--port", "0");
  expect(db).toEqual({ code: 1, out: "", err: `evenkeel up: ${others}/evenkeel.db can't be opened: file is not a database\n` });
  writeFileSync(join(others, "lock.db"), "x".repeat(4096));
  const lock = await evenkeel("up", "--data", others, "--port", "0");
  expect(lock).toEqual({ code: 1, out: "", err: `evenkeel up: ${others}/lock.db can't be locked: file is not a database\n` });
  const used = await evenkeel("up", "--data", server.folder, "--port", "0");
  expect(used).toMatchObject({ code: 1, err: expect.stringMatching(/^evenkeel up: another Evenkeel server .* already uses .*\n$/) });
});

test("a broken file is named, with what is wrong in it", async () => {
  const file = (name: string) => join(server.folder, name);
  const json = await evenkeel("decide", "loans", "--file", file("broken.json"));
  expect(json.code).toBe(1);
  expect(json.err).toMatch(/broken[.]json is no JSON: /);
  const yaml = await evenkeel("deploy", "loans", "--model", "credit/1", "--policy", file("broken.yaml"));
  expect(yaml.code).toBe(1);
  expect(yaml.err).toMatch(/broken[.]yaml is no YAML:\n {2}line \d, column \d+: expected valid YAML/);
});

test("everything that reads gives JSON with --json", async () => {
  for (const call of ["status", "incidents", "data ls", "models ls", "runs ls", "audit ls", "audit verify", "token ls"]) {
    const { code, out } = await evenkeel(...call.split(" "), "--json");
    expect({ call, code, read: typeof JSON.parse(out) }).toEqual({ call, code: 0, read: "object" });
  }
});

test("a token on the control socket acts as its holder, not as the machine's owner", async () => {
  const made = await evenkeel("token", "create", "--name", "web", "--role", "application");
  const refused = await evenkeel("token", "ls", "--token", made.out.trim());
  expect(refused.code).toBe(1);
  expect(refused.err).toMatch(/The token "web" \(application\) lacks the right tokens:write/);
});

test("--version says the version of the package", async () => {
  expect((await evenkeel("--version")).out).toMatch(/^\d+\.\d+\.\d+/);
});
