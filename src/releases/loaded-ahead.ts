/**
 * What a server will need that takes over from another: loaded and proven while the other still answers, so that nobody waits for it,
 * and so that a server that couldn't answer doesn't begin to.
 */
import { ScorerError, loadRelease, type LoadDependencies, type LoadedRelease } from "../serving/index.ts";
import type { ReleaseId } from "../std.ts";
import type { Store } from "../store/index.ts";
import type { EndpointDefinition } from "./endpoint-spec.ts";
import { readEndpoints, readReleases, type ReleaseInfo } from "./release-rows.ts";
import { emptyTable, evolve, neededBy, type RouteTable } from "./route-table.ts";
import { readTransitions } from "./transitions.ts";

export class LoadedAhead {
  readonly #loaded = new Map<string, LoadedRelease>();

  /** Only reads. @throws Error when what answers now, or what answers when that can't, can't be made to answer here */
  static async load(db: Store["db"], load: LoadDependencies): Promise<LoadedAhead> {
    const ahead = new LoadedAhead();
    try {
      const endpoints = await readEndpoints(db);
      await Promise.all(endpoints.map((definition) => ahead.#loadEndpoint(definition, db, load)));
      return ahead;
    } catch (error) {
      await ahead.close();
      throw error;
    }
  }

  /** A release, once, if it was loaded for this very definition. Whoever takes it closes it. */
  take({ id }: EndpointDefinition, release: ReleaseId): LoadedRelease | undefined {
    const key = `${id}/${release}`;
    const loaded = this.#loaded.get(key);
    this.#loaded.delete(key);
    return loaded;
  }

  /** Closes what nobody has taken. */
  async close(): Promise<void> {
    const rest = [...this.#loaded.values()];
    this.#loaded.clear();
    await Promise.all(rest.map((release) => release.close()));
  }

  async #loadEndpoint(definition: EndpointDefinition, db: Store["db"], load: LoadDependencies): Promise<void> {
    const { name } = definition.compiled;
    const table = (await readTransitions(db, name)).reduce<RouteTable>(evolve, emptyTable);
    if (table.kind === "closed") return;
    const infos = new Map((await readReleases(db, name)).map((info) => [info.id, info]));
    await Promise.all(
      neededBy(table).map(async (id) => {
        const info = infos.get(id);
        // A container of this name may be the other server's: it is started when that one has let go.
        if (info?.bundle.scorer.kind === "container") return;
        const why = info ? await this.#loadOne(definition, info, load) : "it isn't stored";
        if (why !== null && (id === table.live || id === table.fallback))
          throw new Error(`r${info?.number ?? "?"} of ${name} can't be loaded: ${why}`);
      }),
    );
  }

  /** @returns null once it is loaded, or why it can't be */
  async #loadOne(definition: EndpointDefinition, { id, number, bundle }: ReleaseInfo, load: LoadDependencies): Promise<string | null> {
    try {
      const loaded = await loadRelease({ id, number, bundle, endpoint: definition.compiled }, load);
      if (!loaded.ok) return JSON.stringify(loaded.error);
      this.#loaded.set(`${definition.id}/${id}`, loaded.value);
      return null;
    } catch (error) {
      if (error instanceof ScorerError) return error.message;
      throw error;
    }
  }
}
