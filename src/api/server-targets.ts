/** Who may have the server call another one. */
import { mayDo, rolesWith, type Principal } from "../access/index.ts";
import { valueAt } from "../checked.ts";
import type { EndpointRoom } from "../releases/index.ts";
import { repositoryOf } from "../serving/index.ts";
import { ProblemError } from "./problem.ts";

/**
 * Applicants' data goes to a model's server, and what can be called from here can be asked about from here: a new address is for an
 * admin, or whom an admin lets. At an address that a release of the endpoint has already, an operator releases as ever.
 * @param release - of which nothing was checked yet
 * @throws ProblemError
 */
export function refuseNewTarget(principal: Principal, room: EndpointRoom | undefined, release: unknown): void {
  const target = targetOf(valueAt(release, "/scorer"));
  if (target === undefined || mayDo(principal, "targets:write")) return;
  const known = [...(room?.releases.values() ?? [])].map(({ bundle: { scorer } }) => targetOf(scorer));
  if (known.includes(target)) return;
  const { name, role } = principal;
  throw new ProblemError(
    "forbidden",
    `The token "${name}" (${role}) lacks the right targets:write, which ${rolesWith("targets:write").join(", ")} can have: ` +
      "no release of this endpoint has that server's address, or an image of that name, yet.",
  );
}

/** Where applicants' data goes: a server's address, or an image, by its name where it has one. */
function targetOf(scorer: unknown): string | undefined {
  const at = (field: string) => String(valueAt(scorer, `/${field}`));
  switch (valueAt(scorer, "/kind")) {
    case "http":
      return at("url");
    case "container":
      return `image ${repositoryOf(at("image")) ?? at("image")}`;
    default:
      return undefined;
  }
}
