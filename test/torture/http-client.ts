/** A client that costs little and forgets nothing: raw connections, one request at a time on each, every answer kept with its times. */
import { connect, type Socket } from "node:net";

export interface Answer {
  readonly status: number;
  readonly body: string;
  readonly isReplay: boolean;
  readonly retryAfter: string | null;
  /** The server closes the connection after it: whoever asks there again asks nobody. */
  readonly isLast: boolean;
}

/** The connection ended before the answer was whole: whether the request was carried out isn't known. */
export class NoAnswer extends Error {
  override readonly name = "NoAnswer";
}

interface Waiting {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

export class HttpConnection {
  readonly #socket: Socket;
  #pending: Buffer = Buffer.alloc(0);
  #waiting: Waiting | undefined;
  #ended: Error | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => this.#take(chunk));
    const end = (why: string) => {
      this.#ended ??= new NoAnswer(why);
      this.#waiting?.reject(this.#ended);
      this.#waiting = undefined;
    };
    socket.on("error", (error) => end(error.message));
    socket.on("close", () => end("the connection was closed"));
  }

  static open(port: number): Promise<HttpConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, "127.0.0.1");
      socket.setNoDelay(true);
      socket.once("error", reject);
      socket.once("connect", () => {
        socket.off("error", reject);
        resolve(new HttpConnection(socket));
      });
    });
  }

  /** The other side has closed it: nothing more can be asked. */
  get hasEnded(): boolean {
    return this.#ended !== undefined;
  }

  /** @param rest - of the request, to be sent when it comes @throws NoAnswer when the connection ends first */
  send(request: Buffer, rest?: Promise<Buffer>): Promise<Answer> {
    if (this.#ended) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#socket.write(request);
      void rest?.then((bytes) => this.#socket.write(bytes));
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    const bytes = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    const headEnd = bytes.indexOf("\r\n\r\n");
    const head = headEnd < 0 ? "" : bytes.toString("latin1", 0, headEnd).toLowerCase();
    const length = headEnd < 0 ? Number.POSITIVE_INFINITY : Number(/content-length: (\d+)/.exec(head)?.[1] ?? 0);
    if (bytes.length < headEnd + 4 + length) {
      this.#pending = bytes;
      return;
    }
    this.#pending = bytes.subarray(headEnd + 4 + length);
    const answer = {
      status: Number(head.slice(9, 12)),
      body: bytes.toString("utf8", headEnd + 4, headEnd + 4 + length),
      isReplay: head.includes("idempotent-replayed: true"),
      retryAfter: /retry-after: (\S+)/.exec(head)?.[1] ?? null,
      isLast: head.includes("\r\nconnection: close"),
    };
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.resolve(answer);
  }
}

export interface DecisionPost {
  readonly endpoint: string;
  readonly token: string;
  readonly body: string;
  readonly key: string | null;
}

/** A request for a decision, ready for the wire. */
export function decisionPost({ endpoint, token, body, key }: DecisionPost): Buffer {
  const keyLine = key === null ? "" : `idempotency-key: ${key}\r\n`;
  return Buffer.from(
    `POST /v1/endpoints/${endpoint}/decisions HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${token}\r\ncontent-type: application/json\r\n` +
      `${keyLine}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
