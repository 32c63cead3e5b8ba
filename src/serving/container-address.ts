/** Where a container is reached from this machine. Pure. */
import { BlockList, isIPv6 } from "node:net";
import type { networkInterfaces } from "node:os";
import { valueAt } from "../checked.ts";

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Networks of ours are named so; from them there is no way out. */
export const NETWORK_PREFIX = "evenkeel-";

/**
 * On a network of ours its own address there, since engines publish no ports of networks without a way out; but only where this machine is
 * on that network too. Elsewhere (rootless engines, virtual machines) that address might be some other machine's: null. On the engine's
 * common network its published port on loopback.
 * @param settings - `NetworkSettings`, as the engine tells them
 */
export function addressIn(settings: unknown, port: number, interfaces: ReturnType<typeof networkInterfaces>): Address | null {
  const networks = valueAt(settings, "/Networks");
  const own = typeof networks === "object" && networks !== null ? Object.entries(networks) : [];
  const isolated = own.find(([name]) => name.startsWith(NETWORK_PREFIX));
  if (isolated) {
    const host = valueAt(isolated[1], "/IPAddress");
    return typeof host === "string" && host !== "" && isOn(host, interfaces) ? { host, port } : null;
  }
  const published = Number(valueAt(settings, `/Ports/${port}~1tcp/0/HostPort`));
  return published > 0 ? { host: "127.0.0.1", port: published } : null;
}

function isOn(host: string, interfaces: ReturnType<typeof networkInterfaces>): boolean {
  const near = new BlockList();
  for (const { cidr, family, internal } of Object.values(interfaces).flatMap((each) => each ?? [])) {
    const [address, bits] = cidr?.split("/") ?? [];
    if (address !== undefined && !internal) near.addSubnet(address, Number(bits), family === "IPv6" ? "ipv6" : "ipv4");
  }
  return near.check(host, isIPv6(host) ? "ipv6" : "ipv4");
}
