/**
 * The Docker Engine API, as far as containers of models need it: over a unix socket of Docker or Podman, one request a connection, each
 * with a time limit. Raw rather than by a library: docs/decisions/container-scorers.md.
 */
import { Agent, request, type IncomingMessage } from "node:http";
import { networkInterfaces } from "node:os";
import { valueAt } from "../checked.ts";
import { addressIn, type Address } from "./container-address.ts";
import { logLines, pullTrouble, type LogLine } from "./container-streams.ts";

/** Docker 25 and later; Docker 29 refuses less. Podman 4 and 5 take it for theirs. */
const VERSION = "/v1.44";
const CALL_MS = 10_000;
/** To start, end or remove one takes an engine long on a busy machine. */
const CHANGE_MS = 30_000;
const PULL_MS = 600_000;
const STOP_SECONDS = 10;
/** A thousand lines of a log, as long as engines keep them, are 16 MB. */
const MAX_BODY_BYTES = 20 * 1024 * 1024;
/** A pull's progress may be long; how it ended stands at its end. */
const END_OF_PULL_BYTES = 64 * 1024;

/** The engine refused, failed, or isn't there (`status` 0). Its words are for whoever may deploy images. */
export class EngineError extends Error {
  override readonly name = "EngineError";
  readonly status: number;
  constructor(status: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }
}

/** What a container is doing. */
export interface ContainerState {
  readonly isRunning: boolean;
  readonly exitCode: number;
  /** Where its port is reached from this machine; null while it is nowhere. */
  readonly address: Address | null;
}

/** What an engine can hold containers to. */
export interface EngineLimits {
  readonly memory: boolean;
  readonly cpus: boolean;
  readonly pids: boolean;
}

interface Call {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Of an answer that is longer only the end is kept; by default that is an error. */
  readonly endBytes?: number;
}
interface EngineAnswer {
  readonly status: number;
  readonly bytes: Buffer;
}

export class ContainerEngine {
  readonly #socket: string;
  readonly #agent = new Agent({ keepAlive: false });

  /** @param socket - path of the engine's unix socket */
  constructor(socket: string) {
    this.#socket = socket;
  }

  /** @throws EngineError, as all others do */
  async limits(): Promise<EngineLimits> {
    const info = await this.#json("GET", "/info");
    const has = (name: string) => valueAt(info, `/${name}`) === true;
    return { memory: has("MemoryLimit"), cpus: has("CpuCfsQuota"), pids: has("PidsLimit") };
  }

  /** The digests that an image is known by here; undefined when it isn't here. */
  async image(reference: string): Promise<{ readonly digests: readonly string[] } | undefined> {
    const { status, bytes } = await this.#call("GET", `/images/${encodeURIComponent(reference)}/json`, {}, [404]);
    return status === 404 ? undefined : { digests: texts(valueAt(parsed(bytes), "/RepoDigests")) };
  }

  /** Fetches `repository@digest`. @param auth - `X-Registry-Auth`, if the registry asks who it is */
  async pull(repository: string, digest: string, auth: string | null): Promise<void> {
    const query = `fromImage=${encodeURIComponent(repository)}&tag=${encodeURIComponent(digest)}`;
    const headers = auth === null ? {} : { "x-registry-auth": auth };
    const { bytes } = await this.#call("POST", `/images/create?${query}`, {
      headers,
      timeoutMs: PULL_MS,
      endBytes: END_OF_PULL_BYTES,
    });
    const trouble = pullTrouble(bytes.toString("utf8"));
    if (trouble !== undefined) throw new EngineError(200, trouble);
  }

  /** @returns its id */
  async create(name: string, body: unknown): Promise<string> {
    const id = valueAt(await this.#json("POST", `/containers/create?name=${encodeURIComponent(name)}`, { body }), "/Id");
    if (typeof id !== "string") throw new EngineError(201, "expected the id of the new container, the engine gave none");
    return id;
  }

  async start(id: string): Promise<void> {
    await this.#call("POST", `/containers/${id}/start`, { timeoutMs: CHANGE_MS }, [304]);
  }

  /** Undefined when there is no such container. @param port - the one that it listens on inside */
  async inspect(id: string, port: number): Promise<ContainerState | undefined> {
    const { status, bytes } = await this.#call("GET", `/containers/${id}/json`, {}, [404]);
    if (status === 404) return undefined;
    const found = parsed(bytes);
    const exitCode = valueAt(found, "/State/ExitCode");
    return {
      isRunning: valueAt(found, "/State/Running") === true,
      exitCode: typeof exitCode === "number" ? exitCode : -1,
      address: addressIn(valueAt(found, "/NetworkSettings"), port, networkInterfaces()),
    };
  }

  /** The last lines. @param sinceSeconds - only those printed since then (Unix time) */
  async logs(id: string, tail: number, sinceSeconds = 0): Promise<readonly LogLine[]> {
    const { bytes } = await this.#call("GET", `/containers/${id}/logs?stdout=1&stderr=1&timestamps=1&tail=${tail}&since=${sinceSeconds}`);
    return logLines(bytes).slice(-tail);
  }

  /** Resolves once it isn't running. Fails when the engine goes away, or `signal` fires. */
  async exited(id: string, signal: AbortSignal): Promise<void> {
    await this.#call("POST", `/containers/${id}/wait?condition=not-running`, { timeoutMs: 0, signal }, [404]);
  }

  /** Podman answers when it has seen it stopped: one that is started again at once it waits for in vain. */
  async kill(id: string): Promise<void> {
    await this.#call("POST", `/containers/${id}/kill?signal=SIGKILL`, { timeoutMs: CHANGE_MS }, [404, 409, 500]);
  }

  /** Asks it to end, makes it end after ten seconds, and removes it. One that is gone already is fine. */
  async remove(id: string): Promise<void> {
    await this.#call("POST", `/containers/${id}/stop?t=${STOP_SECONDS}`, { timeoutMs: CHANGE_MS + STOP_SECONDS * 1000 }, [304, 404]);
    await this.#call("DELETE", `/containers/${id}?force=true&v=true`, { timeoutMs: CHANGE_MS }, [404, 409]);
  }

  /** Ids of all containers, running or not, that have these labels. */
  async withLabels(labels: Readonly<Record<string, string>>): Promise<readonly string[]> {
    const filters = JSON.stringify({ label: Object.entries(labels).map(([key, value]) => `${key}=${value}`) });
    const list = await this.#json("GET", `/containers/json?all=true&filters=${encodeURIComponent(filters)}`);
    return Array.isArray(list) ? texts(list.map((each: unknown) => valueAt(each, "/Id"))) : [];
  }

  /** Makes a network without a way out, unless it is there. */
  async ensureNetwork(name: string, labels: Readonly<Record<string, string>>): Promise<void> {
    // Asked first: Podman says 500 where Docker says 409.
    const filters = encodeURIComponent(JSON.stringify({ name: [name] }));
    const list = await this.#json("GET", `/networks?filters=${filters}`);
    if (Array.isArray(list) && list.some((each: unknown) => valueAt(each, "/Name") === name)) return;
    await this.#call("POST", "/networks/create", { body: { Name: name, Driver: "bridge", Internal: true, Labels: labels } }, [409]);
  }

  /** One that is in use, or gone, is left alone. */
  async removeNetwork(name: string): Promise<void> {
    await this.#call("DELETE", `/networks/${encodeURIComponent(name)}`, {}, [403, 404, 409, 500]);
  }

  async #json(method: string, path: string, call: Call = {}): Promise<unknown> {
    const { bytes } = await this.#call(method, path, call);
    return parsed(bytes);
  }

  async #call(method: string, path: string, call: Call = {}, alsoFine: readonly number[] = []): Promise<EngineAnswer> {
    const answer = await this.#send(method, path, call).catch((error: unknown) => {
      if (!isUntouched(error)) throw asEngineError(error, this.#socket);
      // Podman's service ends when idle, and its socket starts it again.
      return this.#send(method, path, call).catch((again: unknown) => {
        throw asEngineError(again, this.#socket);
      });
    });
    if ((answer.status >= 200 && answer.status < 300) || alsoFine.includes(answer.status)) return answer;
    throw new EngineError(answer.status, messageOf(answer));
  }

  #send(method: string, path: string, { body, headers, timeoutMs = CALL_MS, signal, endBytes }: Call): Promise<EngineAnswer> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const limits = [...(timeoutMs > 0 ? [AbortSignal.timeout(timeoutMs)] : []), ...(signal ? [signal] : [])];
    return new Promise((resolve, reject) => {
      const sent = request(
        {
          socketPath: this.#socket,
          agent: this.#agent,
          method,
          path: `${VERSION}${path}`,
          signal: AbortSignal.any(limits),
          headers: {
            host: "engine",
            ...(text === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(text) }),
            ...headers,
          },
        },
        (answer) => void bytesOf(answer, endBytes).then((bytes) => resolve({ status: answer.statusCode ?? 0, bytes }), reject),
      );
      sent.on("error", reject).end(text);
    });
  }
}

async function bytesOf(answer: IncomingMessage, endBytes: number | undefined): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer) {
    const bytes = asBuffer(chunk);
    chunks.push(bytes);
    size += bytes.length;
    while (endBytes !== undefined && size - (chunks[0]?.length ?? 0) > endBytes) size -= chunks.shift()?.length ?? 0;
    if (size > MAX_BODY_BYTES) throw new EngineError(answer.statusCode ?? 0, `the engine answered more than ${MAX_BODY_BYTES} bytes`);
  }
  return Buffer.concat(chunks);
}
/** Without an encoding bodies come in buffers. */
const asBuffer = (chunk: unknown) => chunk as Buffer;

function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch (cause) {
    throw new EngineError(200, "expected JSON from the engine, it answered something else", { cause });
  }
}

const texts = (value: unknown): readonly string[] => (Array.isArray(value) ? value.filter((each) => typeof each === "string") : []);

function messageOf({ status, bytes }: EngineAnswer): string {
  const text = bytes.toString("utf8");
  try {
    const message = valueAt(JSON.parse(text), "/message");
    if (typeof message === "string") return message;
  } catch {
    // Not JSON: shown as it is.
  }
  return text.trim().slice(0, 500) || `the engine answered with status ${status}`;
}

/** Nothing was there to take the request. */
const isUntouched = (error: unknown) =>
  error instanceof Error && "code" in error && (error.code === "ECONNREFUSED" || error.code === "ENOENT");

function asEngineError(error: unknown, socket: string): EngineError {
  if (error instanceof EngineError) return error;
  const isLate = error instanceof Error && (error.name === "TimeoutError" || error.name === "AbortError");
  const why = isLate ? "it did not answer in time" : error instanceof Error ? error.message : String(error);
  return new EngineError(0, `no answer from the container engine at ${socket}: ${why}`, { cause: error });
}
