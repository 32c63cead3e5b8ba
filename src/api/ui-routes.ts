/** What the pages of the browser application show, composed in one request a page (`ui-view.ts` says what each number means). */
import { Type } from "typebox";
import { reaches, type Principal } from "../access/index.ts";
import type { Incident } from "../releases/index.ts";
import { namesFor, noSuchCursor } from "./incident-routes.ts";
import { notFound, principalOf, type Server } from "./server.ts";
import { homeView } from "./ui-home.ts";
import { incidentView } from "./ui-incident.ts";
import type { UiParts } from "./ui-parts.ts";
import { personView } from "./ui-people.ts";
import { AffectedPage, HomeView, IncidentView } from "./ui-view.ts";

export const uiRoutes = (parts: UiParts) => (app: Server) => {
  app.get(
    "/v1/ui/home",
    { config: { right: "read" }, schema: { summary: "The home page", tags: ["ui"], response: { 200: HomeView } } },
    (request) => homeView(parts, principalOf(request)),
  );
  app.get(
    "/v1/ui/incidents/:n",
    {
      config: { right: "read" },
      schema: {
        summary: "The page of an incident",
        tags: ["ui"],
        params: Type.Object({ n: Type.Integer({ minimum: 1 }) }),
        response: { 200: IncidentView },
      },
    },
    async (request) => incidentView(parts, await incidentOf(parts, request.params.n, principalOf(request)), principalOf(request)),
  );
  app.get(
    "/v1/ui/incidents/:n/affected",
    {
      config: { right: "decisions:read" },
      schema: {
        summary: "People of an incident, 50 at a time",
        tags: ["ui"],
        params: Type.Object({ n: Type.Integer({ minimum: 1 }) }),
        querystring: Type.Object({ cursor: Type.Optional(Type.String()) }),
        response: { 200: AffectedPage },
      },
    },
    async (request) => {
      const incident = await incidentOf(parts, request.params.n, principalOf(request));
      const names = namesFor(parts.releases, incident.endpoint, principalOf(request));
      const { cursor } = request.query;
      const page = await parts.redress.list(incident.n, { limit: 50, ...(cursor === undefined ? {} : { after: cursor }) });
      if (!page) throw noSuchCursor("/cursor", cursor);
      const people = page.people.flatMap((person) => personView(person, names.areVisible) ?? []);
      const shown = names.areVisible ? people.length : 0;
      await parts.reads.note(principalOf(request), {
        object: `incident/${incident.n}`,
        asked: { view: "affected", ...request.query },
        shown,
      });
      return { people, nextCursor: page.next };
    },
  );
};

async function incidentOf(parts: UiParts, n: number, principal: Principal): Promise<Incident> {
  const incident = await parts.incidents.get(n);
  if (!incident || !reaches(principal, incident.endpoint)) throw notFound(`incident ${n}`);
  return incident;
}
