/** The models of loaded releases: which can be asked, how often they broke, what they take. */
import type { EndpointRoom, Releases } from "../../releases/index.ts";
import { loadedIn, type Gateway } from "../../serving/index.ts";
import type { Collected } from "./families.ts";
import { numberOf } from "./served.ts";

type Scoring = "evenkeel_scorer_up" | "evenkeel_scorer_breaks_total" | "evenkeel_scorer_failures_total" | "evenkeel_scorer_memory_bytes";

export interface ScorerParts {
  readonly gateway: Pick<Gateway, "view" | "failures">;
  readonly releases: Pick<Releases, "memory">;
}

export function scoring({ gateway, releases }: ScorerParts, rooms: readonly EndpointRoom[]): Pick<Collected, Scoring> {
  const loaded = rooms.flatMap((room) => {
    const view = gateway.view(room.name);
    return view ? loadedIn(view).map((release) => ({ room, release, labels: { endpoint: room.name, release: `r${release.number}` } })) : [];
  });
  const failures = gateway.failures();
  const names = new Set<string>(rooms.map(({ name }) => name));
  return {
    evenkeel_scorer_up: loaded.map(({ release, labels }) => ({
      labels: { ...labels, kind: release.bundle.scorer.kind },
      value: release.health().isUp ? 1 : 0,
    })),
    evenkeel_scorer_breaks_total: loaded.map(({ release, labels }) => ({ labels, value: release.health().breaks })),
    evenkeel_scorer_failures_total: rooms.flatMap((room) =>
      failures
        .filter(({ release }) => room.releases.has(release))
        .map(({ release, trouble, count }) => ({
          labels: { endpoint: room.name, release: numberOf(room, release), reason: trouble },
          value: count,
        })),
    ),
    evenkeel_scorer_memory_bytes: releases.memory
      .holdings()
      .filter(({ endpoint }) => names.has(endpoint))
      .map(({ endpoint, number, ownBytes }) => ({ labels: { endpoint, release: `r${number}` }, value: ownBytes })),
  };
}
