/** What a server has begun, and must end in reverse. */
import { repeatedly, type Repeated } from "./repeatedly.ts";
import type { Runtime } from "../store/index.ts";

type End = () => Promise<void> | void;

export class Lifetime {
  readonly #runtime: Runtime;
  readonly #onError: (error: Error, reference: string) => void;
  readonly #ends: End[] = [];
  #isEnding = false;

  constructor(runtime: Runtime, onError: (error: Error, reference: string) => void) {
    this.#runtime = runtime;
    this.#onError = onError;
  }

  get isEnding(): boolean {
    return this.#isEnding;
  }

  /** What has begun last ends first. */
  onEnd(end: End): void {
    this.#ends.push(end);
  }

  /** Work that is done again and again until the end. @param name - whose errors they are */
  repeat(everyMs: number, name: string, work: () => Promise<void>): Repeated {
    const repeated = repeatedly(this.#runtime, everyMs, work, (error) => this.#onError(error, name));
    this.onEnd(() => repeated.stop());
    return repeated;
  }

  /** Ends everything; a second time there is nothing left. */
  async end(): Promise<void> {
    this.#isEnding = true;
    await this.#endAll();
  }

  /** Ends everything else; `end` remains to be called. */
  async endAllBut(kept: End): Promise<void> {
    this.#ends.splice(this.#ends.indexOf(kept), 1);
    await this.#endAll();
    this.#ends.push(kept);
  }

  async #endAll(): Promise<void> {
    for (const end of this.#ends.splice(0).toReversed()) await end();
  }
}
