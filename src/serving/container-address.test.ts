import type { networkInterfaces } from "node:os";
import { expect, test } from "vitest";
import { addressIn } from "./container-address.ts";

const on = (cidr: string): ReturnType<typeof networkInterfaces> => ({
  eth0: [{ address: cidr.split("/")[0] ?? "", cidr, netmask: "", mac: "", family: "IPv4", internal: false }],
  lo: [{ address: "127.0.0.1", cidr: "127.0.0.1/8", netmask: "", mac: "", family: "IPv4", internal: true }],
});
const isolated = {
  Ports: { "8080/tcp": [{ HostIp: "127.0.0.1", HostPort: "40000" }] },
  Networks: { "evenkeel-1": { IPAddress: "10.89.0.2" } },
};

test("on a network of ours a container has its own address, where this machine is on that network", () => {
  expect(addressIn(isolated, 8080, on("10.89.0.1/24"))).toEqual({ host: "10.89.0.2", port: 8080 });
});

test("an address that may be another machine's is none", () => {
  expect(addressIn(isolated, 8080, on("192.0.2.2/24"))).toBeNull();
});

test("on the engine's own network it is the published port on loopback", () => {
  const settings = { ...isolated, Networks: { bridge: { IPAddress: "172.17.0.2" } } };
  expect(addressIn(settings, 8080, on("172.17.0.1/16"))).toEqual({ host: "127.0.0.1", port: 40_000 });
  expect(addressIn({ ...settings, Ports: { "8080/tcp": null } }, 8080, on("172.17.0.1/16"))).toBeNull();
  expect(addressIn(undefined, 8080, on("172.17.0.1/16"))).toBeNull();
});
