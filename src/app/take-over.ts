/**
 * How one server takes the place of another on the same folder, without anybody noticing. The one that goes hands every request on to a
 * socket of the one that comes, which lets them wait until it can answer (docs/decisions/hand-over.md).
 */
import { readdirSync, rmSync } from "node:fs";
import { request } from "node:http";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import type { Random } from "../store/index.ts";
import { EvenkeelClient, EvenkeelUnreachable } from "../client.ts";

/** Longer nobody is kept waiting: the clients' own patience has ended. */
const WITHIN_MS = 30_000;

/** Whether a server answers on the control socket of a folder. */
export async function isRunning(folder: string): Promise<boolean> {
  const client = new EvenkeelClient({ socket: join(folder, "control.sock"), timeoutMs: WITHIN_MS });
  try {
    await client.get("/healthz/live");
    return true;
  } catch (error) {
    if (error instanceof EvenkeelUnreachable) return false;
    throw error;
  } finally {
    await client.close();
  }
}

/** The end of the one that comes. */
export class Successor {
  readonly #folder: string;
  readonly #name: string;
  readonly #server: Server;
  #waiting: Socket[] | null = [];
  #letGo: () => void = () => undefined;
  readonly #predecessorLetGo: Promise<void>;

  private constructor(folder: string, name: string) {
    this.#folder = folder;
    this.#name = name;
    this.#predecessorLetGo = new Promise((resolve) => {
      this.#letGo = resolve;
    });
    this.#server = createServer({ pauseOnConnect: true });
    this.#server.on("connection", this.#hold);
  }

  /** Of its socket, in the folder. */
  get name(): string {
    return this.#name;
  }

  /** Listens where the predecessor will send its requests. A number of its own, since process ids are 1 in every container. */
  static async listen(folder: string, random: Random): Promise<Successor> {
    const successor = new Successor(folder, `successor-${random.bytes(4).readUInt32LE()}.sock`);
    await listenPrivately(join(folder, successor.#name), (path, done) => successor.#server.once("error", done).listen(path, () => done()));
    return successor;
  }

  /**
   * Asks the server that runs to let go of the store.
   * @returns resolves when it has, or when it has taken too long: then only the store can say
   * @throws EvenkeelProblem when it refuses; it goes on as it was then
   */
  async ask(port: number): Promise<void> {
    const client = new EvenkeelClient({ socket: join(this.#folder, "control.sock") });
    try {
      await client.post("/v1/hand-over", { socket: this.#name, port });
    } finally {
      await client.close(); // else it would wait for this connection
    }
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, WITHIN_MS / 2);
    });
    await Promise.race([this.#predecessorLetGo, late]);
    clearTimeout(timer);
  }

  /** Gives everything that waits, and all that still comes, to the server that can answer now. */
  deliverTo(http: { emit(event: "connection", socket: Socket): boolean }): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = null;
    const deliver = (socket: Socket) => {
      http.emit("connection", socket);
      socket.resume();
    };
    this.#server.off("connection", this.#hold).on("connection", deliver);
    for (const socket of waiting) deliver(socket);
  }

  /** Nobody is handed on any more. */
  close(): void {
    for (const socket of this.#waiting ?? []) socket.destroy();
    this.#server.close();
  }

  readonly #hold = (socket: Socket): void => {
    this.#waiting?.push(socket);
    socket.on("error", () => undefined); // it may be gone before its turn
    this.#letGo();
  };
}

/**
 * The end of the one that goes: whether its successor answers. One that died while it opened the store, or takes too long, doesn't.
 * Its first connection tells the successor that the store is free.
 */
export function answers(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = request({ socketPath, path: "/healthz/ready", headers: { host: "localhost" }, timeout: WITHIN_MS }, (answer) => {
      answer.resume();
      resolve(true);
    });
    asked.on("timeout", () => asked.destroy(new Error("it takes too long")));
    asked.on("error", () => resolve(false));
    asked.end();
  });
}

/** Removes the sockets of successors that died. @param own - of one that lives */
export function forgetSuccessors(folder: string, own: string | undefined): void {
  const dead = readdirSync(folder).filter((name) => /^successor-\d+\.sock$/.test(name) && name !== own);
  for (const name of dead) rmSync(join(folder, name), { force: true });
}

/** Listens on a socket in the data folder, for its owner only. */
export async function listenPrivately(path: string, listen: (path: string, done: (error?: Error) => void) => void): Promise<void> {
  rmSync(path, { force: true });
  const before = process.umask(0o177);
  try {
    await new Promise<void>((resolve, reject) => listen(path, (error) => (error ? reject(error) : resolve())));
  } finally {
    process.umask(before);
  }
}
