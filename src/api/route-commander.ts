/** From what an address and a body say to a command on a route table, and back to what its sender is told. */
import type { Principal } from "../access/index.ts";
import type { EndpointRoom, ReleaseInfo, ReleaseRefusal, Releases, Switched, Wish } from "../releases/index.ts";
import type { Result } from "../std.ts";
import { byOf } from "./by.ts";
import type { SwitchView } from "./endpoint-view.ts";
import { releaseProblem } from "./release-problems.ts";
import { namesIn, switchView } from "./route-views.ts";

/** Who wants it, and why. */
type CommandBody = Parameters<typeof byOf>[1];

export function routeCommander(releases: Releases) {
  /** @throws ProblemError when there is none */
  const roomOf = (endpoint: string): EndpointRoom => {
    const room = releases.room(endpoint);
    if (!room.ok) throw releaseProblem(room.error);
    return room.value;
  };
  /** @throws ProblemError when the endpoint has none of that name */
  const releaseOf = (room: EndpointRoom, reference: string): ReleaseInfo => {
    const info = releases.find(room, reference);
    if (!info.ok) throw releaseProblem(info.error, room);
    return info.value;
  };
  /** @throws ProblemError when it is refused */
  const told = async (
    principal: Principal,
    room: EndpointRoom,
    command: () => Promise<Result<Switched, ReleaseRefusal>>,
  ): Promise<SwitchView> => {
    const before = room.table.live;
    const done = await command();
    if (!done.ok) throw releaseProblem(done.error, room);
    return switchView(room, namesIn(room, principal), done.value, before);
  };
  const act = (principal: Principal, endpoint: string, wishOf: (room: EndpointRoom) => Wish, body: CommandBody): Promise<SwitchView> => {
    const room = roomOf(endpoint);
    return told(principal, room, () => releases.command(endpoint, wishOf(room), byOf(principal, body)));
  };
  return { roomOf, releaseOf, told, act };
}
