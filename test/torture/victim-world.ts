/** The real store, log, releases and gateway in one process, without HTTP: quick to start a thousand times. Its switches break it on purpose. */
import { hash } from "node:crypto";
import { cpSync, linkSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { sql } from "kysely";
import { Audit } from "../../src/access/index.ts";
import { DecisionLog } from "../../src/decisions/index.ts";
import { openRegistry } from "../../src/registry/index.ts";
import { Releases } from "../../src/releases/index.ts";
import { Gateway, type Decided } from "../../src/serving/index.ts";
import { openStore, systemRuntime, type Store } from "../../src/store/index.ts";
import { ENDPOINT, application } from "./applications.ts";

/** How a negative control breaks the product; `sound` is the product as it is. */
export type Breakage = "sound" | "synchronous-normal" | "tally-apart" | "keys-off";

export interface VictimWorld {
  /** Decides about the `n`th applicant of a run, always with a key. */
  decide(run: string, n: number): Promise<Decided>;
  close(): Promise<void>;
}

export const keyOf = (run: string, n: number): string => `${run}-${n}`;

export async function openVictimWorld(folder: string, breakage: Breakage): Promise<VictimWorld> {
  const runtime = systemRuntime();
  const store = await openStore({ folder }, runtime);
  if (breakage === "synchronous-normal") await sql`pragma synchronous = normal`.execute(store.db);
  const log = await DecisionLog.open(broken(store, breakage));
  const gateway = new Gateway({ log, runtime, subjectKey: Buffer.alloc(32, 7) });
  const audit = new Audit(store);
  const releases = await Releases.open({
    store,
    audit,
    registry: openRegistry(store, audit),
    gateway,
    load: { blobs: store.blobs, clock: runtime.clock, inline: true },
    onTrouble: () => undefined,
  });
  return {
    async decide(run, n) {
      const { body } = application(run, n);
      const meta = { payload: body, source: "torture", idempotencyKey: keyOf(run, n), bodyHash: hash("sha256", body, "hex") };
      const decided = await gateway.decide(ENDPOINT, JSON.parse(body), meta);
      if (!decided.ok) throw new Error(JSON.stringify(decided.error));
      return decided.value;
    },
    async close() {
      await releases.close();
      await log.close();
      await store.close();
    },
  };
}

/** The same store, whose commits are made by a module that breaks one promise. */
function broken(store: Store, breakage: Breakage): Store {
  if (store.kind !== "sqlite" || breakage === "sound" || breakage === "synchronous-normal") return store;
  const module = new URL(breakage === "tally-apart" ? "./commit-tally-apart.ts" : "./commit-keys-off.ts", import.meta.url);
  return { ...store, procedure: () => store.procedure(module) };
}

/** A copy of a prepared folder to break. The ballast is shared where it can be: nobody writes to it. */
export function copyOf(prepared: string, to: string): string {
  mkdirSync(to, { recursive: true });
  for (const name of readdirSync(prepared)) {
    if (name === "ballast" && statSync(prepared).dev === statSync(to).dev) linkSync(join(prepared, name), join(to, name));
    else if (!name.endsWith(".sock")) cpSync(join(prepared, name), join(to, name), { recursive: true });
  }
  return to;
}
