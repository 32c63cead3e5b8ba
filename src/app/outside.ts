/** What a server may reach outside of its process, as its options say. */
import { readFileSync, realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Egress, parseEgress } from "../access/index.ts";
import { ContainerEngine, Containers } from "../serving/index.ts";
import { sha256Hex, type Runtime } from "../store/index.ts";

/** @throws Error that says which entry of the configuration is wrong */
export function egressOf(allow: readonly string[], ownPorts: ReadonlySet<number>): Egress {
  const rules = parseEgress(allow);
  if (rules.ok) return new Egress({ rules: rules.value, ownPorts: () => ownPorts });
  const [{ expected, got, hint } = { expected: "", got: "", hint: "" }] = rules.error;
  throw new Error(`egress: expected ${expected}, got "${got}" (${hint})`);
}

export interface ContainerOptions {
  /** Path of the engine's socket. */
  readonly engine: string;
  /** The data folder. */
  readonly folder: string;
  readonly secrets: Readonly<Record<string, string>>;
  readonly onTrouble: (error: Error) => void;
}

export function containersOf({ engine, folder, secrets, onTrouble }: ContainerOptions, { clock, timers, random }: Runtime): Containers {
  return new Containers({
    engine: new ContainerEngine(engine),
    instance: instanceOf(folder, random),
    clock,
    timers,
    random,
    secrets,
    onTrouble,
  });
}

/** Names this server to a container engine that it may share: by its folder's place and a number kept in it, so that no copy is taken for it. */
function instanceOf(folder: string, random: Runtime["random"]): string {
  const file = join(folder, "instance");
  try {
    writeFileSync(file, random.bytes(16).toString("hex"), { flag: "wx" });
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  }
  return sha256Hex(JSON.stringify([realpathSync(folder), readFileSync(file, "utf8")]));
}
