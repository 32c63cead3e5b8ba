/** Ends requests whose bodies come too slowly to be meant (slow loris), and lets large uploads take the time that they need. */
import type { FastifyRequest } from "fastify";
import type { Timers } from "../store/index.ts";

const TICK_MS = 1000;
/** A whole body has to be there by then; of an upload, the next bytes. */
export const RECEIVE_WITHIN_MS = 15_000;
/** As few bytes as this in that time are no progress. */
export const UPLOAD_PROGRESS_BYTES = 64 * 1024;

interface Receiving {
  readonly request: FastifyRequest;
  readonly isUpload: boolean;
  sinceTick: number;
  sinceBytes: number;
}

/** One look a second over all bodies that are being received: a timer for each would cost every decision. */
export class SlowRequests {
  readonly #receiving = new Map<string, Receiving>();
  #tick = 0;

  /** @param refuse - answers over the connection, as the request itself may be in anybody's hands */
  watch(timers: Timers, refuse: (request: FastifyRequest) => void): () => void {
    return timers.every(TICK_MS, () => {
      this.#tick++;
      for (const [id, one] of this.#receiving) {
        if ((this.#tick - one.sinceTick) * TICK_MS <= RECEIVE_WITHIN_MS) continue;
        const { bytesRead } = one.request.raw.socket;
        if (one.isUpload && bytesRead - one.sinceBytes >= UPLOAD_PROGRESS_BYTES) {
          one.sinceTick = this.#tick;
          one.sinceBytes = bytesRead;
          continue;
        }
        this.#receiving.delete(id);
        refuse(one.request);
      }
    });
  }

  /** From here to the end of its body. */
  begin(request: FastifyRequest, isUpload: boolean): void {
    const { raw, id } = request;
    if (raw.headers["content-length"] === undefined && raw.headers["transfer-encoding"] === undefined) return;
    this.#receiving.set(id, { request, isUpload, sinceTick: this.#tick, sinceBytes: raw.socket.bytesRead });
    const end = () => void this.#receiving.delete(id);
    raw.once("end", end).once("close", end);
  }
}
