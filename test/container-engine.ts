/** The container engine of this machine, for tests that need a real one. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { engineSocket } from "../src/cli/engine-socket.ts";
import { ContainerEngine } from "../src/serving/index.ts";

export interface RealEngine {
  readonly socket: string;
  readonly engine: ContainerEngine;
  /** The digest by which the engine knows the model server of `fixtures/model-container`. */
  readonly image: string;
}

/** Undefined where there is no engine; the reason is printed, once, since a test that doesn't run must not look like one that passed. */
export async function realEngine(): Promise<RealEngine | undefined> {
  const socket = engineSocket(undefined, process.env);
  const trouble = socket === undefined ? "DOCKER_HOST isn't set" : await built(socket);
  if (socket !== undefined && typeof trouble !== "string") return { socket, ...trouble };
  process.stderr.write(`tests on a real container engine don't run: ${typeof trouble === "string" ? trouble : "none"}\n`);
  return undefined;
}

async function built(socket: string): Promise<Omit<RealEngine, "socket"> | string> {
  const engine = new ContainerEngine(socket);
  try {
    await engine.limits();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  const folder = new URL("fixtures/model-container/", import.meta.url).pathname;
  const name = "localhost/evenkeel-test-model";
  execFileSync(builder(), ["build", "-q", "-t", name, folder], { stdio: ["ignore", "ignore", "inherit"] });
  const found = await engine.image(`${name}:latest`);
  const [image] = found?.digests ?? [];
  return image === undefined ? "it gives local images no digests" : { engine, image };
}

/** Containers of the server that has this data folder. */
export function containersOf(engine: ContainerEngine, folder: string): Promise<readonly string[]> {
  const text = JSON.stringify([realpathSync(folder), readFileSync(join(folder, "instance"), "utf8")]);
  return engine.withLabels({ "dev.evenkeel.instance": createHash("sha256").update(text).digest("hex") });
}

/** Podman or Docker, whichever is here. */
export function builder(): string {
  for (const program of ["podman", "docker"]) {
    try {
      execFileSync(program, ["--version"], { stdio: "ignore" });
      return program;
    } catch {
      // The other one, perhaps.
    }
  }
  throw new Error("neither podman nor docker is in the path");
}
