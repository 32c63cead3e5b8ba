/** Where the container engine of this machine is reached. */
import { statSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "./verb.ts";

/**
 * The socket that was named, else that of `DOCKER_HOST`, else the first that is there of Docker's and Podman's usual ones; undefined when
 * there is none. Only unix sockets: over a network the engine's port is the whole machine, to whoever reaches it. A `DOCKER_HOST` of
 * another kind is no engine, since it is there for other programs too.
 * @param named - `--container-engine`
 * @throws UsageError
 */
export function engineSocket(named: string | undefined, env: Readonly<Record<string, string | undefined>>): string | undefined {
  if (named !== undefined) {
    const path = socketPath(named);
    if (path !== undefined) return path;
    throw new UsageError(`--container-engine takes the path of a unix socket, such as /var/run/docker.sock, not "${named}"`);
  }
  const host = env["DOCKER_HOST"];
  if (host !== undefined && host !== "") return socketPath(host);
  const own = env["XDG_RUNTIME_DIR"];
  const usual = [
    "/var/run/docker.sock",
    ...(own ? [join(own, "docker.sock"), join(own, "podman/podman.sock")] : []),
    "/run/podman/podman.sock",
  ];
  return usual.find((path) => statSync(path, { throwIfNoEntry: false })?.isSocket() === true);
}

const socketPath = (text: string): string | undefined => /^(?:unix:\/\/)?(\/.+)$/.exec(text)?.[1];
