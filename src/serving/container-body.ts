/** What an engine is asked for when a model's container is made: as little as a program needs that turns numbers into scores. Pure. */
import { err, ok, type Issue, type Result } from "../std.ts";
import { contentId, sha256Hex } from "../store/index.ts";
import type { ContainerScorerSpec } from "./container-scorer-spec.ts";

/** Every container and network of ours has this label. */
export const MANAGED = "dev.evenkeel.managed";
export const INSTANCE = "dev.evenkeel.instance";
export const CONFIG = "dev.evenkeel.config";
export const RELEASE = "dev.evenkeel.release";

/** `isolated`: no way out, neither to the internet nor to other containers' networks; `bridge`: where an engine can't make such a network. */
export type ContainerNetwork = { readonly kind: "isolated"; readonly name: string } | { readonly kind: "bridge" };

const DEFAULTS = { memoryMb: 512, cpus: 1, pids: 256 };
/** Nobody in particular, in any image. */
const NOBODY = "65532:65532";
const MIB = 1024 * 1024;

/** The environment with its secrets filled in. Issues have paths below the scorer. */
export function environmentOf(
  { env = {} }: ContainerScorerSpec,
  secrets: Readonly<Record<string, string>>,
): Result<readonly string[], readonly Issue[]> {
  const issues: Issue[] = [];
  const entries = Object.entries(env).map(([name, value]) => {
    if (typeof value === "string") return `${name}=${value}`;
    const secret = Object.hasOwn(secrets, value.secret) ? secrets[value.secret] : undefined;
    if (secret === undefined) issues.push(unknownSecret(`/env/${name}`, value.secret));
    return `${name}=${secret ?? ""}`;
  });
  return issues.length > 0 ? err(issues) : ok(entries);
}

/** A release names a secret that the server wasn't started with. */
export const unknownSecret = (path: string, name: string): Issue => ({
  path,
  expected: "a secret that the server knows",
  got: name,
  hint: `start the server with EVENKEEL_SECRET_${name.toUpperCase()} in its environment`,
});

/** The same for the same container, whatever it is for; another secret makes it another one. Shows nothing of secrets. */
export function configOf(spec: ContainerScorerSpec, environment: readonly string[], instance: string): string {
  return contentId<"ContainerConfig">("ctr", { spec, environment: sha256Hex(JSON.stringify([instance, environment])), form: 1 });
}

export interface BodyOptions {
  readonly spec: ContainerScorerSpec;
  readonly environment: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly network: ContainerNetwork;
}

/**
 * The body of `POST /containers/create`. Never privileged, no mounts, no devices, not the host's network, no capabilities, nothing that
 * it could write but a small `/tmp` in memory; reached from this machine only.
 */
export function createBody({ spec, environment, labels, network }: BodyOptions) {
  const memory = (spec.memory_mb ?? DEFAULTS.memoryMb) * MIB;
  const port = `${spec.port}/tcp`;
  const args = spec.args ?? (spec.protocol === "sagemaker" ? ["serve"] : null);
  return {
    Image: spec.image,
    ...(args === null ? {} : { Cmd: args }),
    Env: environment,
    ...(spec.user === "image" ? {} : { User: NOBODY }),
    Labels: labels,
    ExposedPorts: { [port]: {} },
    StopSignal: "SIGTERM",
    HostConfig: {
      Memory: memory,
      MemorySwap: memory, // no swap on top
      NanoCpus: Math.round((spec.cpus ?? DEFAULTS.cpus) * 1e9),
      PidsLimit: spec.pids ?? DEFAULTS.pids,
      ReadonlyRootfs: true,
      Tmpfs: { "/tmp": "rw,noexec,nosuid,nodev,size=64m" },
      CapDrop: ["ALL"],
      SecurityOpt: ["no-new-privileges:true"],
      Init: true, // as process 1 a program without a handler would ignore SIGTERM
      RestartPolicy: { Name: "no" },
      AutoRemove: false,
      Privileged: false,
      NetworkMode: network.kind === "isolated" ? network.name : "bridge",
      // A network without a way out publishes nothing: there it has an address of its own.
      ...(network.kind === "bridge" ? { PortBindings: { [port]: [{ HostIp: "127.0.0.1", HostPort: "" }] } } : {}),
    },
  };
}

/** Tags move, and a release must not. */
export function imageIssue(image: string, digests: readonly string[]): Issue | undefined {
  if (/^(?:[^@\s]+@)?sha256:[0-9a-f]{64}$/.test(image)) return undefined;
  const [digest] = digests;
  return {
    path: "/image",
    expected: "an image by its digest: registry.example.com/credit@sha256:…",
    got: image,
    hint: digest === undefined ? `docker image inspect --format '{{index .RepoDigests 0}}' ${image}` : `here and now that is ${digest}`,
  };
}

/** What a process that ended says by its exit code. */
export function exitText(exitCode: number, spec: ContainerScorerSpec): string {
  if (exitCode !== 137) return `it ended with exit code ${exitCode}`;
  return `it was killed (137): out of memory, or SIGKILL; its limit is ${spec.memory_mb ?? DEFAULTS.memoryMb} MiB`;
}
