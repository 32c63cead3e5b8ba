/** Where the story happens: on a real server with applicants in a process of their own, or all in this process on a clock of its own. */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import {
  EvenkeelClient,
  inlineExecutor,
  simulatedRuntime,
  spawnExecutor,
  startApp,
  systemRuntime,
  type App,
  type Executor,
  type Runtime,
} from "../../src/index.ts";
import { tellStory } from "./data.ts";
import type { ApplicantsOrder } from "./applicants.ts";
import type { Application, LoopCounts } from "./open-loop.ts";

/** Clients that act as the people and programs of the story. */
export interface People {
  readonly admin: EvenkeelClient;
  readonly trainer: EvenkeelClient;
  readonly analyst: EvenkeelClient;
}

export interface World {
  readonly url: string;
  readonly folder: string;
  readonly people: People;
  /** With it the browser shows groups, affected people and causes; an admin's token doesn't, unless it is given the right. */
  readonly analystToken: string;
  readonly execute: Executor;
  readonly clock: Runtime["clock"];
  /** Opens the web application: from now on people apply. */
  openDoors(): Promise<void>;
  counts(): LoopCounts;
  /** Lets the world go on until `condition` gives something. @throws Error when it hasn't after `patience` applications, or ten times as long as they take */
  until<T>(condition: () => Promise<T | undefined>, patience: number): Promise<T>;
  /** No further applications; those under way are answered. */
  closeDoors(): Promise<LoopCounts>;
  /** Ends the server, unless it is to be kept. */
  end(keep: boolean): Promise<void>;
}

export interface WorldOptions {
  readonly seed: number;
  readonly perSecond: number;
  /** Where to keep everything; a new temporary folder when left out. */
  readonly folder: string | undefined;
  readonly port: number;
}

const OUTCOME_AFTER_MS = 4000;
const none: LoopCounts = { sent: 0, answered: 0, failed: 0, outcomes: 0, byRelease: {}, p50Ms: 0, p99Ms: 0, lagMsP99: 0, failures: [] };

interface Tokens {
  readonly application: string;
  readonly outcomes: string;
  readonly analyst: string;
  readonly people: People;
}

async function makeTokens(url: string, adminToken: string): Promise<Tokens> {
  const admin = new EvenkeelClient({ url, token: adminToken, timeoutMs: 120_000 });
  const token = async (name: string, role: string, more: object = {}) =>
    (await admin.post<{ readonly token: string }>("/v1/tokens", { name, role, ...more })).token;
  const trainer = new EvenkeelClient({ url, token: await token("data team", "trainer"), timeoutMs: 120_000 });
  const analystToken = await token("s.lindqvist", "analyst", { grants: ["protected:read"] });
  const analyst = new EvenkeelClient({ url, token: analystToken, timeoutMs: 120_000 });
  const operator = new EvenkeelClient({ url, token: await token("m.okafor", "operator"), timeoutMs: 120_000 });
  await admin.close();
  return {
    application: await tokenOf("loans web", "application"),
    outcomes: await tokenOf("ledger", "outcomes"),
    analyst: analystToken,
    people: { admin: operator, trainer, analyst },
  };

  async function tokenOf(name: string, role: string): Promise<string> {
    const maker = new EvenkeelClient({ url, token: adminToken });
    const made = await maker.post<{ readonly token: string }>("/v1/tokens", { name, role, endpoints: ["loans"] });
    await maker.close();
    return made.token;
  }
}

/** A server as `evenkeel up` starts it, and applicants who don't wait for each other. */
export async function realWorld(options: WorldOptions): Promise<World> {
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), "evenkeel-demo-"));
  const binary = fileURLToPath(new URL("../../bin/evenkeel.cjs", import.meta.url));
  const server = spawn(process.execPath, [binary, "up", "--data", folder, "--port", String(options.port), "--json"], {
    stdio: ["ignore", "pipe", "inherit"],
    detached: true,
  });
  const { url, token: adminToken } = asStarted(JSON.parse(await firstLine(server)));
  const tokens = await makeTokens(url, adminToken);
  let applicants: ChildProcess | undefined;
  let counts = none;
  let gone: Promise<void> = Promise.resolve();
  return {
    url,
    folder,
    analystToken: tokens.analyst,
    people: tokens.people,
    execute: spawnExecutor,
    clock: systemRuntime().clock,
    async openDoors() {
      const order: ApplicantsOrder = {
        url,
        endpoint: "loans",
        applicationToken: tokens.application,
        outcomesToken: tokens.outcomes,
        perSecond: options.perSecond,
        outcomeAfterMs: OUTCOME_AFTER_MS,
        seed: options.seed,
      };
      const child = spawn(process.execPath, [fileURLToPath(new URL("./applicants.ts", import.meta.url)), JSON.stringify(order)], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      applicants = child;
      createInterface({ input: child.stdout }).on("line", (line) => {
        counts = asCounts(JSON.parse(line));
      });
      gone = new Promise((resolve) => child.on("close", () => resolve()));
    },
    counts: () => counts,
    async until(condition, patience) {
      const deadlineMs = performance.now() + (patience / options.perSecond) * 1000 * 3 + 30_000;
      const from = counts.answered;
      for (;;) {
        const found = await condition();
        if (found !== undefined) return found;
        if (counts.answered - from > patience || performance.now() > deadlineMs)
          throw new Error(`it didn't happen within ${patience} applications`);
        if (server.exitCode !== null) throw new Error("the server has ended");
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    async closeDoors() {
      applicants?.kill("SIGTERM");
      await gone;
      return counts;
    },
    async end(keep) {
      applicants?.kill("SIGTERM");
      for (const client of Object.values(tokens.people)) await client.close();
      if (keep) {
        server.stdout?.destroy();
        server.unref();
        return;
      }
      const ended = new Promise((resolve) => server.on("close", resolve));
      server.kill("SIGTERM");
      await ended;
      if (options.folder === undefined) rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Monday morning, whenever it really is. */
const SIMULATED_START_MS = Date.UTC(2026, 0, 5, 9, 0, 0);

/** The same server in this process, its time moved by hand: each applicant is answered before the next one comes. */
export async function simulatedWorld(options: WorldOptions): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), "evenkeel-simulated-"));
  const runtime = simulatedRuntime(options.seed, SIMULATED_START_MS);
  const app: App = await startApp({ folder, port: 0, runtime, scorers: "inline" });
  const { url } = app;
  const adminToken = app.firstAdmin?.token ?? "";
  const tokens = await makeTokens(url, adminToken);
  const web = new EvenkeelClient({ url, token: tokens.application });
  const ledger = new EvenkeelClient({ url, token: tokens.outcomes });
  let applications: Iterator<Application> = [].values();
  const byRelease: Record<string, number> = {};
  const failures: string[] = [];
  let [sent, answered, failed, outcomes] = [0, 0, 0, 0];
  const due: { readonly atMs: number; readonly decision: string; readonly value: string }[] = [];
  const stepMs = 1000 / options.perSecond;
  let clockMs = 0;

  const tellOutcomes = async (all: boolean) => {
    const nowMs = runtime.clock.nowMs();
    const ready = all ? due.length : due.filter(({ atMs }) => atMs <= nowMs).length;
    if (ready === 0 || (ready < 50 && !all)) return;
    const batch = due.splice(0, Math.min(ready, 400));
    await ledger.post("/v1/endpoints/loans/outcomes", { outcomes: batch.map(({ decision, value }) => ({ decision, value })) });
    outcomes += batch.length;
    if (all && due.length > 0) await tellOutcomes(true);
  };
  const oneApplies = async () => {
    const next = applications.next();
    clockMs += stepMs;
    const whole = Math.floor(clockMs);
    clockMs -= whole;
    await runtime.advance(whole);
    await app.settled();
    if (next.done) return;
    const { subject, inputs, groups, outcome } = next.value;
    sent++;
    try {
      const reply = await web.post<{ readonly id: string; readonly release: string }>("/v1/endpoints/loans/decisions", {
        subject,
        inputs,
        groups,
      });
      answered++;
      byRelease[reply.release] = (byRelease[reply.release] ?? 0) + 1;
      due.push({ atMs: runtime.clock.nowMs() + OUTCOME_AFTER_MS, decision: reply.id, value: outcome });
    } catch (error) {
      failed++;
      if (failures.length < 5) failures.push(error instanceof Error ? error.message : String(error));
    }
    await app.settled();
    await tellOutcomes(false);
  };
  const counts = (): LoopCounts => ({
    sent,
    answered,
    failed,
    outcomes,
    byRelease: { ...byRelease },
    p50Ms: 0,
    p99Ms: 0,
    lagMsP99: 0,
    failures,
  });
  return {
    url,
    folder,
    analystToken: tokens.analyst,
    people: tokens.people,
    execute: inlineExecutor,
    clock: runtime.clock,
    async openDoors() {
      applications = tellStory(options.seed).applications.values();
    },
    counts,
    async until(condition, patience) {
      for (let i = 0; i <= patience; i++) {
        const found = await condition();
        if (found !== undefined) return found;
        await oneApplies();
      }
      throw new Error(`it didn't happen within ${patience} applications`);
    },
    async closeDoors() {
      await tellOutcomes(true);
      return counts();
    },
    async end() {
      for (const client of [web, ledger, ...Object.values(tokens.people)]) await client.close();
      await app.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code) => reject(new Error(`the server ended with exit code ${code ?? "none"}`)));
    if (child.stdout) createInterface({ input: child.stdout }).once("line", resolve);
  });
}

/** What `evenkeel up --json` prints first. */
const asStarted = (value: unknown): { readonly url: string; readonly token: string } => value as { url: string; token: string };
/** What `applicants.ts` prints. */
const asCounts = (value: unknown): LoopCounts => value as LoopCounts;
