/** A release that a tester asks by name, in a header that every way of asking takes: `evenkeel-release: r12`, or the place it holds. */
import type { FastifyRequest } from "fastify";
import { loadedIn, type Gateway, type RouteView } from "../serving/index.ts";
import type { ReleaseId } from "../std.ts";
import { ProblemError } from "./problem.ts";
import { notFound } from "./server.ts";

/** With it a request needs the right `decide:pinned` instead of `decide`: its answer is recorded apart and moves no tally that controls. */
export const RELEASE_HEADER = "evenkeel-release";

/** For descriptions of routes that take it. */
export const RELEASE_HEADER_TEXT =
  "Testers may ask one loaded release, whatever the route table says, with the header `evenkeel-release: r12` (or `live`, `canary`, `standby`, `fallback`): that needs the right `decide:pinned` and is evidence for nothing.";

export interface AskedReleaseParts {
  readonly gateway: Pick<Gateway, "view">;
  readonly isCondemned: (endpoint: string, release: ReleaseId) => boolean;
}

/** @returns undefined where the header isn't there. @throws ProblemError when it names no release that is loaded */
export function askedRelease(request: FastifyRequest, parts: AskedReleaseParts, endpoint: string): ReleaseId | undefined {
  const asked = request.headers[RELEASE_HEADER];
  if (asked === undefined) return undefined;
  const view = parts.gateway.view(endpoint);
  if (!view) throw notFound(`endpoint "${endpoint}"`);
  return loadedRelease(parts, view, String(asked));
}

/** @param version - `r12`, or a place that one release holds now. @throws ProblemError 404 */
export function releaseNamed({ live, canary, standby, fallback, releaseNumbers }: RouteView, version: string): ReleaseId {
  const number = /^r(\d+)$/.exec(version)?.[1];
  const places = { live, canary: canary?.release, standby: standby ?? undefined, fallback };
  const inPlace =
    version === "live" || version === "canary" || version === "standby" || version === "fallback" ? places[version] : undefined;
  const release = inPlace?.id ?? [...releaseNumbers].find(([, known]) => String(known) === number)?.[0];
  if (!release) throw notFound(`release "${version}"`);
  return release;
}

/** A release that can be asked now. @throws ProblemError when there is none of that name, it is condemned or isn't loaded */
export function loadedRelease({ isCondemned }: Pick<AskedReleaseParts, "isCondemned">, view: RouteView, version: string): ReleaseId {
  const release = releaseNamed(view, version);
  if (isCondemned(view.endpoint.name, release))
    throw new ProblemError("conflict", `${version} is condemned: it decides about nobody until a named person reinstates it.`);
  const loaded = loadedIn(view);
  if (loaded.some(({ id }) => id === release)) return release;
  const names = loaded.map(({ number }) => `r${number}`).join(", ");
  throw new ProblemError("conflict", `${version} is not loaded. Loaded are ${names}.`);
}
