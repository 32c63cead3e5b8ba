/** A server as the pipeline runner sees it: the runner is where the pipeline's files are, the server keeps what comes out. */
import type { DatasetVersionView } from "./api/index.ts";
import { EvenkeelProblem, type EvenkeelClient } from "./client.ts";
import { BytesRefused, type PipelineStore, type StepOutcome } from "./pipelines/index.ts";
import type { BlobId } from "./std.ts";

/** @param client - with a token that may read and write the registry: a trainer's, for example */
export function pipelineStoreOf(client: EvenkeelClient): PipelineStore {
  return {
    putBlob: async (bytes) => (await client.put<{ readonly id: BlobId }>("/v1/blobs", bytes)).id,
    async putFile(path) {
      try {
        return (await client.putFile<{ readonly id: BlobId }>("/v1/blobs", path)).id;
      } catch (error) {
        // Also by what stands before the server: a proxy that takes only so much.
        if (error instanceof EvenkeelProblem && (error.problem.status === 413 || error.problem.status === 507))
          throw new BytesRefused(`the server doesn't take it (${error.message})`, { cause: error });
        throw error;
      }
    },
    getFile: (id, path) => client.getFile(`/v1/blobs/${id}`, path),
    getBlob: (id) => client.getBytes(`/v1/blobs/${id}`),
    async dataset(reference) {
      const known = await client.get<Omit<DatasetVersionView, "blob"> & { readonly blob: BlobId }>("/v1/dataset-version", { reference });
      const { id: version, blob, layout } = known;
      return { version, blob, ...(layout === "folder" ? { layout } : {}) };
    },
    async outcome(key) {
      try {
        return await client.get<StepOutcome>(`/v1/steps/${key}`);
      } catch (error) {
        if (error instanceof EvenkeelProblem && error.problem.status === 404) return undefined;
        throw error;
      }
    },
    saveOutcome: (outcome) => client.post("/v1/steps", outcome),
  };
}
