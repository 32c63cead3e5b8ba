/** Model cards: made when they are asked for, of what is known at that moment. */
import { Type } from "typebox";
import { mayDo, reaches, type Principal, type ProtectedReads } from "../access/index.ts";
import type { Registry } from "../registry/index.ts";
import { modelCard, type Releases } from "../releases/index.ts";
import type { Store } from "../store/index.ts";
import { CARD_POLICY, cardMarkdown, cardPage } from "./model-card-document.ts";
import { ModelCardView, modelCardView } from "./model-card-view.ts";
import { orProblem } from "./registry-parts.ts";
import { namesIn } from "./route-views.ts";
import { principalOf, type Server } from "./server.ts";

export interface ModelCardRouteParts {
  readonly store: Store;
  readonly registry: Registry;
  readonly releases: Releases;
  readonly reads: ProtectedReads;
}

const Reference = Type.String({ description: "credit/3, credit@champion or mdl:…" });

export const modelCardRoutes =
  ({ store, registry, releases, reads }: ModelCardRouteParts) =>
  (app: Server) => {
    const cardFor = async (principal: Principal, reference: string): Promise<ModelCardView> => {
      const version = orProblem(await registry.models.resolve(reference), "/reference");
      const rooms = releases.rooms().filter(({ name }) => reaches(principal, name));
      const card = await modelCard({ registry, blobs: store.blobs, db: store.db, rooms }, version);
      const seesGroups = mayDo(principal, "protected:read");
      for (const { version: data } of card.datasets)
        await reads.note(principal, {
          object: `dataset/${data.dataset}`,
          asked: { view: "model-card", version: data.number },
          shown: seesGroups ? data.groups.length : 0,
        });
      return modelCardView(card, { seesGroups, namesOf: ({ room }) => namesIn(room, principal) });
    };
    app.get(
      "/v1/model-card",
      {
        config: { right: "read" },
        schema: {
          summary: "A model's card: data, groups, metrics by group, limits, lineage, and what nobody knows",
          tags: ["models"],
          querystring: Type.Object({ reference: Reference }),
          response: { 200: ModelCardView },
        },
      },
      (request) => cardFor(principalOf(request), request.query.reference),
    );
    app.get(
      "/v1/model-card/document",
      {
        config: { right: "read" },
        schema: {
          summary: "The same as a document",
          tags: ["models"],
          querystring: Type.Object({
            reference: Reference,
            format: Type.Optional(Type.Enum(["html", "markdown"], { description: "html when left out" })),
          }),
          response: { 200: Type.String() },
        },
      },
      async (request, reply) => {
        const card = await cardFor(principalOf(request), request.query.reference);
        if (request.query.format === "markdown") return reply.type("text/markdown; charset=utf-8").send(cardMarkdown(card));
        return reply.type("text/html; charset=utf-8").header("content-security-policy", CARD_POLICY).send(cardPage(card));
      },
    );
  };
