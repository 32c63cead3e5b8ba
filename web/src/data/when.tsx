import { useQuery } from "@tanstack/react-query";
import { timesOf } from "../format.ts";
import { homeQuery } from "../queries.ts";
import { Time } from "../ui/time.tsx";

/** A moment of the API, in the zone of the server as all pages show it. */
export function When({ iso }: { iso: string }) {
  const home = useQuery(homeQuery);
  const ms = Date.parse(iso);
  return <Time ms={ms}>{home.data ? timesOf(home.data).moment(ms) : iso}</Time>;
}
