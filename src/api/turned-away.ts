/**
 * Refuses who is one too many before anything else is done for the request. Under five times the load that a server can carry four of
 * five requests are refused: each that goes through routing, hooks and an error's handling first takes a tenth of a decision's time.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Ids } from "../store/index.ts";
import { problem } from "./problem.ts";

/** Whether an endpoint has more to do than it can. */
export type TurnsAway = (endpoint: string) => boolean;

interface Gate {
  /** Of the address, what stands before and after the endpoint's name. */
  readonly before: string;
  readonly after: string;
  readonly turnsAway: TurnsAway;
}

const PARAMETER = ":endpoint";

export class TurnedAway {
  readonly #ids: Ids;
  readonly #gates: Gate[] = [];

  constructor(ids: Ids) {
    this.#ids = ids;
  }

  /** @param path - of a route that takes POST, as it is declared: with `:endpoint` in it */
  add(path: string, turnsAway: TurnsAway): void {
    const [before = "", after = ""] = path.split(PARAMETER);
    this.#gates.push({ before, after, turnsAway });
  }

  /** @returns whether the request was one too many, and has been answered */
  answers(request: IncomingMessage, response: ServerResponse): boolean {
    if (request.method !== "POST" || !this.#isTooMany(request.url ?? "")) return false;
    const body = problem("overloaded", "Nothing was recorded. Try again in a second.", [], this.#ids.next());
    const text = JSON.stringify(body);
    response
      .writeHead(body.status, {
        "content-type": "application/problem+json",
        "content-length": Buffer.byteLength(text),
        "x-content-type-options": "nosniff",
        "retry-after": "1",
      })
      .end(text);
    return true;
  }

  #isTooMany(url: string): boolean {
    return this.#gates.some(({ before, after, turnsAway }) => {
      if (!url.startsWith(before)) return false;
      // Names of endpoints need no escapes, so that what has some is no endpoint, and is told so by its route.
      const end = url.indexOf("/", before.length);
      if (end < 0 || !url.startsWith(after, end)) return false;
      const isWhole = url.length === end + after.length || url.charAt(end + after.length) === "?";
      return isWhole && turnsAway(url.slice(before.length, end));
    });
  }
}
