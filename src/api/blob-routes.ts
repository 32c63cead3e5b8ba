/** Bytes under their SHA-256. */
import { Readable } from "node:stream";
import { Type, type Static } from "typebox";
import { mayDo } from "../access/index.ts";
import { ProblemError } from "./problem.ts";
import { blobIdAt, readsRegistry, writesRegistry, type RegistryRouteParts } from "./registry-parts.ts";
import { principalOf, type Server } from "./server.ts";
import { uploadRoutes } from "./uploads.ts";

export const BlobView = Type.Object({ id: Type.String({ description: "sha256:…" }), bytes: Type.Integer() }, { title: "Blob" });
export type BlobView = Static<typeof BlobView>;

export async function blobRoutes(app: Server, { store, reads }: RegistryRouteParts): Promise<void> {
  await uploadRoutes(app, store, (scope, take) => {
    scope.put(
      "/v1/blobs",
      {
        config: { ...writesRegistry, takesUpload: true },
        schema: {
          summary: "Keep bytes under their SHA-256",
          description: "Answered once they survive a power cut. The same bytes again change nothing.",
          tags: ["blobs"],
          consumes: ["application/octet-stream"],
          response: { 200: BlobView },
        },
      },
      async (request) => await take(request, ({ path }) => store.blobs.putFile(path)),
    );
  });
  app.get(
    "/v1/blobs/:id",
    {
      config: readsRegistry,
      schema: {
        summary: "Bytes, verified against their id",
        description: "They may be a table of people: for those who write to the registry, and readers with protected:read.",
        tags: ["blobs"],
        params: Type.Object({ id: Type.String() }),
      },
    },
    async (request, reply) => {
      const principal = principalOf(request);
      if (!mayDo(principal, "registry:write") && !mayDo(principal, "protected:read"))
        throw new ProblemError("forbidden", "Raw bytes may hold people's data: registry:write or protected:read is needed.");
      const id = blobIdAt("/id", request.params.id);
      const { bytes, pieces } = await store.blobs.read(id);
      await reads.note(principal, { object: `blob/${id}`, asked: {}, shown: 1 });
      return reply
        .type("application/octet-stream")
        .header("content-disposition", "attachment")
        .header("content-length", bytes)
        .send(Readable.from(pieces, { objectMode: false }));
    },
  );
}
