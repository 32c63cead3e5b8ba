/** What a start and a server under way do when one takes the other's place; the sockets between them are in take-over.ts. */
import { createServer } from "node:net";
import type { Connections } from "../api/index.ts";
import { LoadedAhead } from "../releases/index.ts";
import type { LoadDependencies } from "../serving/index.ts";
import { viewStore, type Runtime, type StoreOptions } from "../store/index.ts";
import type { Lifetime } from "./lifetime.ts";
import { Successor, answers, isRunning } from "./take-over.ts";

/** A predecessor answers for five seconds at most what it has begun, then closes everything. */
export const LET_GO_WITHIN_MS = 15_000;

/** Loads and proves all that can be without writing, then has the server that runs let go of the store. */
export async function takeOver(
  options: StoreOptions,
  runtime: Runtime,
  {
    loading,
    port,
    lifetime,
  }: { readonly loading: Omit<LoadDependencies, "blobs">; readonly port: number; readonly lifetime: Pick<Lifetime, "onEnd"> },
): Promise<{ readonly ahead: LoadedAhead; readonly successor: Successor } | undefined> {
  if (!(await isRunning(options.folder))) return undefined;
  const view = await viewStore(options, runtime);
  let ahead: LoadedAhead;
  try {
    ahead = await LoadedAhead.load(view.db, { ...loading, blobs: view.blobs });
  } finally {
    await view.close();
  }
  lifetime.onEnd(() => ahead.close());
  const successor = await Successor.listen(options.folder, runtime.random);
  lifetime.onEnd(() => successor.close());
  await successor.ask(port);
  return { ahead, successor };
}

/** Every request is the successor's from now on; it hears of them when this server has let go of everything else. */
export async function handOverTo(socket: string, connections: Connections, letGo: () => Promise<void>): Promise<"successor" | "nobody"> {
  let isFree: (path: string) => void = () => undefined;
  const next = new Promise<string>((resolve) => {
    isFree = resolve;
  });
  await connections.handOn(next);
  await letGo();
  const answered = answers(socket);
  isFree(socket);
  if (!(await answered)) return "nobody";
  await connections.letGo();
  return "successor";
}

/** Sharing a port is for a successor: otherwise it is a mistake, which the system would let pass where both servers have one owner. */
export async function assertFree(host: string, port: number): Promise<void> {
  if (port === 0) return;
  const probe = createServer();
  await new Promise<void>((resolve, reject) => probe.once("error", reject).listen({ host, port }, resolve));
  await new Promise((resolve) => probe.close(resolve));
}
