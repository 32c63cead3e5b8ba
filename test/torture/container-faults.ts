/**
 * F21: a model's container is killed for its memory, can't be started again, loses its image or its engine, ends again and again: everybody is
 * answered in time by the next in line, and the container is asked again once it is back. Never with more than a model needs.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { valueAt } from "../../src/checked.ts";
import { FakeEngine, IMAGE } from "../fixtures/fake-engine.ts";
import { ModelServer } from "../fixtures/model-server.ts";
import { freshServer, type FreshServer } from "../server.ts";
import { ENDPOINT, LOANS_YAML } from "./applications.ts";
import { Asking } from "./asking.ts";
import type { Case, Survived } from "./case.ts";
import { survivedAs } from "./survived.ts";

const RUN = "f21";
const REQUESTS_A_FAULT = 80;
/** The lowest income that r2 approves (`applications.ts`). */
const LIMIT = 50;
/** Out of memory, as engines tell it. */
const KILLED = 137;
/** Back-off included: the ends of all faults are in one row. */
const HEALED_WITHIN_MS = 60_000;
/** A decision's deadline is 500 ms; the rest is for a machine that does other things as well. */
const ANSWERED_WITHIN_MS = 1500;
const TOLD_WITHIN_MS = 40_000;

interface World {
  readonly engine: FakeEngine;
  readonly model: ModelServer;
}
interface ContainerFault {
  readonly name: string;
  begin(world: World): Promise<void> | void;
  end(world: World): Promise<void> | void;
}

const endNow = ({ engine }: World) => engine.end(engine.only, KILLED);
const cannotStart = (status: number, message: string): Pick<ContainerFault, "begin" | "end"> => ({
  begin({ engine, model }) {
    engine.play("POST /containers/{id}/start", { status, body: { message } });
    endNow({ engine, model });
  },
  end: ({ engine }) => engine.play("POST /containers/{id}/start", undefined),
});
const FAULTS: readonly ContainerFault[] = [
  { name: "killed for its memory", begin: endNow, end: () => undefined },
  { name: "port taken", ...cannotStart(500, "driver failed programming external connectivity: port is already allocated") },
  {
    name: "container and image gone",
    begin({ engine }) {
      const gone = engine.only;
      engine.images.clear();
      engine.pulled = '{"error":"manifest unknown"}\n';
      engine.play("POST /containers/create", { status: 404, body: { message: "no such image" } });
      engine.containers.delete(gone.id);
      engine.end(gone, KILLED);
    },
    end({ engine }) {
      engine.pulled = '{"status":"Pull complete"}\n';
      engine.images.set(IMAGE, [IMAGE]);
      engine.play("POST /containers/create", undefined);
    },
  },
  {
    name: "engine down, container too",
    async begin({ engine, model }) {
      await engine.stop();
      engine.only.isRunning = false;
      model.fault = "reset"; // where it was, nobody is
    },
    async end({ engine, model }) {
      model.fault = null;
      await engine.listen();
    },
  },
];

export const containerFaults: Case = {
  id: "F21",
  title: "container killed, image, port, engine gone",
  section: "fault",
  cannot: () => (process.platform === "win32" ? "no unix sockets" : undefined),
  async run(torment): Promise<Survived> {
    const engine = await new FakeEngine().listen();
    const model = await new ModelServer().listen();
    engine.port = model.port;
    engine.onStart = (container) => container.log.push({ stream: 2, text: "2026-11-30T12:00:00Z loading the model\n" });
    model.scoreOf = ([income]) => (Number(income) >= LIMIT ? 0.9 : 0.1);
    const told: string[] = [];
    const server = await freshServer({ containerEngine: engine.socket, onError: ({ message }) => told.push(message) });
    try {
      return await survived({ engine, model }, server, told, (text) => torment.say(text));
    } finally {
      await server.drop();
      await model.close();
      await engine.drop();
    }
  },
};

async function survived(world: World, server: FreshServer, told: readonly string[], say: (text: string) => void): Promise<Survived> {
  const { engine } = world;
  const token = await defined(server);
  const asking = await Asking.open({ port: Number(new URL(server.url).port), token, run: RUN, connections: 8 });
  const [recoverMs, failures]: [number[], string[]] = [[], []];
  for (const fault of FAULTS) {
    say(fault.name);
    await fault.begin(world);
    const answers = await asking.many(REQUESTS_A_FAULT);
    const unanswered = answers.filter(({ status }) => status !== 200);
    if (unanswered.length > 0) failures.push(`${fault.name}: ${unanswered.length} had no decision, the first ${unanswered[0]?.body}`);
    await fault.end(world);
    recoverMs.push(await healed(asking, fault.name, failures));
  }
  say("ends again and again");
  const fifth = /5 times within 5 minutes/;
  const before = told.length;
  engine.onStart = (container) => void setTimeout(() => engine.end(container, KILLED), 200);
  endNow(world);
  const stop = asking.onAndOn();
  for (let waitedMs = 0; waitedMs < TOLD_WITHIN_MS && !told.slice(before).some((text) => fifth.test(text)); waitedMs += 50) await sleep(50);
  const answers = await stop();
  if (!told.slice(before).some((text) => fifth.test(text))) failures.push("a container that ends again and again is told to nobody");
  const unanswered = answers.filter(({ status }) => status !== 200);
  if (unanswered.length > 0) failures.push(`while it ends again and again, ${unanswered.length} had no decision`);
  asking.close();

  const tookMs = asking.all.map(({ sentMs, doneMs }) => doneMs - sentMs).toSorted((a, b) => a - b);
  const [p99, most] = [tookMs[Math.floor(tookMs.length * 0.99)] ?? 0, tookMs.at(-1) ?? 0];
  if (most > ANSWERED_WITHIN_MS) failures.push(`an answer took ${most.toFixed(0)} ms`);
  failures.push(...tooMuchAsked(engine));
  return survivedAs(
    { run: RUN, folder: server.folder, isLive: true, sent: asking.all },
    {
      runs: FAULTS.length + 1,
      injected: FAULTS.length + 5,
      recoverMs,
      note: `answers p99 ${p99.toFixed(0)} ms, at most ${most.toFixed(0)} ms; every container made with limits and without privileges`,
      failures,
    },
  );
}

/** @returns an application's token */
async function defined(server: FreshServer): Promise<string> {
  await server.admin.post("/v1/apply", { yaml: LOANS_YAML });
  await server.admin.post(`/v1/endpoints/${ENDPOINT}/releases`, {
    scorer: { kind: "container", image: IMAGE, port: 8080, protocol: "mlflow", send: "inputs", memory_mb: 128, start_timeout_ms: 5000 },
    policy: {
      bands: [
        { action: "deny", from: 0 },
        { action: "approve", from: 0.5 },
      ],
    },
  });
  await server.admin.post(`/v1/endpoints/${ENDPOINT}/promote`, { release: "r2", reason: "F21" });
  return server.token("application");
}

/** How long until the container is asked again. */
async function healed(asking: Asking, fault: string, failures: string[]): Promise<number> {
  const startedMs = performance.now();
  for (;;) {
    const { status, body } = await asking.one();
    if (status === 200 && body.includes('"route":"live"')) return performance.now() - startedMs;
    if (performance.now() - startedMs > HEALED_WITHIN_MS) {
      failures.push(`${fault}: the container could run, and isn't asked again`);
      return performance.now() - startedMs;
    }
    await sleep(50);
  }
}

/** What no container may be made with, or without. */
function tooMuchAsked({ calls }: FakeEngine): readonly string[] {
  const made = calls.filter(({ route }) => route === "POST /containers/create").map(({ body }) => valueAt(body, "/HostConfig"));
  const wrong = made.filter((host) => {
    const has = (path: string) => valueAt(host, path);
    const isOpen =
      has("/Privileged") !== false || has("/NetworkMode") === "host" || has("/Binds") !== undefined || has("/Mounts") !== undefined;
    const isLimited = [has("/Memory"), has("/NanoCpus"), has("/PidsLimit")].every((limit) => Number(limit) > 0);
    return isOpen || !isLimited || has("/ReadonlyRootfs") !== true || !JSON.stringify(has("/SecurityOpt")).includes("no-new-privileges");
  });
  if (made.length === 0) return ["no container was made: nothing was tried"];
  return wrong.length === 0 ? [] : [`${wrong.length} of ${made.length} containers were made with more than a model needs`];
}
