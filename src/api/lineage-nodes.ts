/** Nodes of the lineage graph as people name them, and back. */
import { reaches, type Principal } from "../access/index.ts";
import { parseReference, type LineageNode, type Registry } from "../registry/index.ts";
import type { Releases } from "../releases/index.ts";
import { featureSetNamed, findFeatureSet } from "./model-routes.ts";
import { orProblem } from "./registry-parts.ts";
import { notFound } from "./server.ts";

export interface NodeParts {
  readonly registry: Registry;
  readonly releases: Releases;
}

/**
 * Nodes of the registry's own kinds, and releases that are named, must be there; the others are known by their edges only.
 * @throws ProblemError
 */
export async function nodeNamed({ registry, releases }: NodeParts, { kind, id }: LineageNode, principal: Principal): Promise<LineageNode> {
  const { datasets, models, featureSets, runs } = registry;
  switch (kind) {
    case "dataset_version":
      return { kind, id: orProblem(await datasets.get(id), "/id").id };
    case "model_version":
      return { kind, id: orProblem(await models.resolve(id), "/id").id };
    case "feature_set":
      return { kind, id: (await featureSetNamed(featureSets, id)).id };
    case "run":
      return { kind, id: orProblem(await runs.get(id)).id };
    case "release": {
      const [, endpoint, number] = /^([^/]+)\/(r?[1-9]\d{0,8})$/.exec(id) ?? [];
      if (endpoint === undefined || number === undefined) return { kind, id };
      const room = releases.room(endpoint);
      const release = room.ok && reaches(principal, endpoint) ? releases.find(room.value, number) : undefined;
      if (!release?.ok) throw notFound(`release ${id}`);
      return { kind, id: release.value.id };
    }
    default:
      return { kind, id };
  }
}

/** As people call it, or null where it has no name, or none that this reader may know of. */
export async function nameOf({ registry, releases }: NodeParts, { kind, id }: LineageNode, principal: Principal): Promise<string | null> {
  const { datasets, models, featureSets, runs } = registry;
  switch (kind) {
    case "dataset_version": {
      const found = parseReference(id) ? await datasets.get(id) : undefined;
      return found?.ok ? `${found.value.dataset}/${found.value.number}` : null;
    }
    case "model_version": {
      const found = parseReference(id) ? await models.resolve(id) : undefined;
      return found?.ok ? `${found.value.model}/${found.value.number}` : null;
    }
    case "feature_set": {
      const found = await findFeatureSet(featureSets, id);
      return found ? `${found.name}/${found.number}` : null;
    }
    case "run": {
      const found = await runs.get(id);
      return found.ok ? found.value.name : null;
    }
    case "release":
      for (const room of releases.rooms()) {
        const info = [...room.releases.values()].find((one) => one.id === id);
        if (info) return reaches(principal, room.name) ? `${room.name}/r${info.number}` : null;
      }
      return null;
    default:
      return null;
  }
}
