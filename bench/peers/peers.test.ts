import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { bestOf, parseCores } from "./measure.ts";
import { HELP, parseOptions } from "./options.ts";
import { PEERS, peers, scoreAt, type PeerName } from "./peers.ts";
import { troubleIn } from "./servers.ts";

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/** Answers as each server gave them. */
const answers = {
  fastapi: { score: 0.75 },
  mlflow: { predictions: [[0.25, 0.75]] },
  bentoml: [0.75],
  mlserver: {
    model_name: "credit",
    model_version: "1",
    id: "a",
    parameters: {},
    outputs: [{ name: "predict_proba", shape: [1, 2], datatype: "FP64", parameters: { content_type: "np" }, data: [0.25, 0.75] }],
  },
  litserve: { score: 0.75 },
} as const satisfies Record<PeerName, unknown>;

test.each(PEERS)("the score is found in an answer of %s, and nothing else is taken for one", (name) => {
  const { score } = peers[name];
  expect(scoreAt(answers[name], score)).toBe(0.75);
  for (const other of [null, {}, [], { detail: "no" }, { score: "0.75" }, { predictions: [1] }])
    expect(scoreAt(other, score)).toBeUndefined();
});

test.each(PEERS)("what %s is asked holds the numbers of the row in their order", (name) => {
  const body = JSON.stringify(peers[name].body([3, 1, 2], ["a", "b", "c"]));
  expect(body.match(/(?<=[[:,])\d+(?=[,\]}])/g)?.join(" ")).toContain("3 1 2");
});

test.each([...PEERS, "training"] as const)("every package of %s is pinned, and all have the same scikit-learn", (name) => {
  const lines = readFileSync(here(`python/${name}.txt`), "utf8")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"));
  expect(lines.filter((line) => !/^[\w[\]-]+==\d+(\.\d+)+$/.test(line))).toEqual([]);
  expect(lines).toContain("scikit-learn==1.8.0");
});

test("of several ways the fastest that ran is kept, and when none ran it is said why", () => {
  const trial = { server: "a", model: "forest", place: "one core" } as const;
  const contender = { variants: ["x", "y", "z"] } as const;
  const trials = [
    { ...trial, variant: "x", perSecond: 10, why: null },
    { ...trial, variant: "y", perSecond: 20, why: null },
    { ...trial, variant: "z", perSecond: null, why: "it ended" },
  ];
  expect(bestOf(contender, trials)).toBe("y");
  expect(() => bestOf(contender, trials.slice(2))).toThrow("z: it ended");
  expect(bestOf({ variants: ["only"] }, [])).toBe("only");
});

test("of a server that ends, its last error is told rather than its farewell", () => {
  expect(troubleIn("Traceback:\n  File\nRuntimeError: no event loop\nINFO: shutdown complete\n")).toBe("RuntimeError: no event loop");
  expect(troubleIn("starting\naddress in use\n")).toBe("address in use");
  expect(troubleIn("")).toBe("");
});

test("lists of cores are read as the kernel writes them", () => {
  expect(parseCores("0-2,5")).toEqual([0, 1, 2, 5]);
  expect(parseCores("7")).toEqual([7]);
  expect(parseCores("")).toEqual([]);
});

test("what is asked for is taken or refused with what would do, and every peer is in the help", () => {
  expect(parseOptions(["--only", "litserve, fastapi", "--seconds", "0.5"])).toEqual({
    ok: true,
    value: { only: ["fastapi", "litserve"], durationMs: 500, isJson: false },
  });
  expect(parseOptions(["--help"])).toEqual({ ok: true, value: "help" });
  for (const name of PEERS) expect(HELP).toContain(name);
  for (const [args, why] of [
    [["--only", "fastapi,triton"], /no peer "triton"; these are: fastapi/],
    [["--seconds", "0"], /--seconds takes a positive number/],
    [["--seconds", "long"], /not "long"/],
    [["--rounds", "3"], /--rounds/],
    [["fastapi"], /fastapi/],
  ] as const)
    expect(parseOptions(args)).toMatchObject({ ok: false, error: expect.stringMatching(why) });
});

test("where there is no Python, the run says so for each server and passes", { timeout: 90_000 }, () => {
  const empty = mkdtempSync(join(tmpdir(), "evenkeel-test-"));
  try {
    const env = { PATH: empty, TMPDIR: empty };
    const run = spawnSync(process.execPath, [here("run.ts"), "--only", "fastapi,mlflow"], { encoding: "utf8", env });
    expect(run.stderr).toBe("");
    expect(run.stdout).toContain("FastAPI: no figures: the models can't be trained: there is no Python 3.11 or newer");
    expect(run.stdout).toContain("mlflow models serve: no figures");
    expect(run.status).toBe(0);
    expect(readdirSync(empty)).toEqual([]);
  } finally {
    rmSync(empty, { recursive: true, force: true });
  }
});
