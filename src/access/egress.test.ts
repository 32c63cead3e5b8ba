import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { LookupAddress, lookup } from "node:dns";
import fc from "fast-check";
import { Agent, request } from "undici";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Egress, EgressDenied, parseEgress } from "./egress.ts";

let server: Server;
let port = 0;
let answered = 0;
beforeAll(async () => {
  server = createServer((_request, response) => {
    answered++;
    response.end("inner secret");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  port = asAddress(server.address()).port;
});
afterAll(() => new Promise((resolve) => server.close(resolve)));
/** It listens on a port. */
const asAddress = (address: unknown) => address as AddressInfo;

const egressOf = (allow: readonly string[], rest: { ownPorts?: readonly number[]; dns?: Dns } = {}) => {
  const rules = parseEgress(allow);
  if (!rules.ok) throw new Error(JSON.stringify(rules.error));
  return new Egress({
    rules: rules.value,
    ownPorts: () => new Set(rest.ownPorts ?? []),
    ...(rest.dns ? { lookup: resolverOf(rest.dns) } : {}),
  });
};
/** What each further question for a name is answered. */
type Dns = (name: string) => readonly string[];
function resolverOf(dns: Dns): typeof lookup {
  const resolve = (name: string, _options: unknown, done: (error: Error | null, found: LookupAddress[]) => void) =>
    done(
      null,
      dns(name).map((address) => ({ address, family: address.includes(":") ? 6 : 4 })),
    );
  return asLookup(resolve);
}
/** The guard always asks for all addresses. */
const asLookup = (resolve: unknown) => resolve as typeof lookup;

async function call(egress: Egress, url: string): Promise<string> {
  const agent = new Agent({ connect: egress.connector(500) });
  try {
    const { statusCode, body } = await request(url, { dispatcher: agent, signal: AbortSignal.timeout(1500) });
    return `${statusCode} ${await body.text()}`;
  } catch (error) {
    return error instanceof EgressDenied ? "denied" : `failed: ${String(error)}`;
  } finally {
    await agent.destroy();
  }
}

describe("this machine and its network are out of reach, however they are written", () => {
  const hosts = `
    127.0.0.1 2130706433 0x7f.1 0177.0.0.1 127.1 ①②⑦.⓪.⓪.① 0 0.0.0.0 localhost LOCALHOST [::1] [::ffff:127.0.0.1] [::ffff:7f00:1] [64:ff9b::7f00:1]
    [::7f00:1] [2002:7f00:1::] [::] 10.1.2.3 172.16.0.1 192.168.1.1 100.64.0.1 [fd12::1] 169.254.169.254 [fd00:ec2::254] 100.100.100.200`
    .trim()
    .split(/\s+/);
  test.each(hosts)("http://%s", async (host) => {
    const before = answered;
    expect(await call(egressOf([]), `http://${host}:${port}/`)).toBe("denied");
    expect(answered).toBe(before);
  });
  test.each(hosts.filter((host) => !/localhost/i.test(host)))("and refused before anything is asked: http://%s", (host) => {
    expect(egressOf([]).check(`http://${host}:${port}/`)).toMatchObject({ expected: "an address that this server may call" });
  });
});

test("what the server's own configuration names is called, and only that port of it", async () => {
  for (const entry of [`127.0.0.1:${port}`, `127.0.0.0/8:${port}`]) {
    expect(egressOf([entry]).check(`http://127.0.0.1:${port}/x`)).toBeUndefined();
    expect(await call(egressOf([entry]), `http://127.0.0.1:${port}/`)).toBe("200 inner secret");
  }
  expect(await call(egressOf([`127.0.0.1:${port + 1}`]), `http://127.0.0.1:${port}/`)).toBe("denied");
  const named = egressOf([`models.test:${port}`], { dns: () => ["127.0.0.1"] });
  expect(await call(named, `http://MODELS.test:${port}/`)).toBe("200 inner secret");
  expect(await call(named, `http://other.test:${port}/`)).toBe("denied");
  expect(await call(named, `http://127.0.0.1:${port}/`)).toBe("denied");
});

test("metadata, link-local addresses and the server's own ports stay out of reach even when they are named", async () => {
  for (const address of ["169.254.169.254", "100.100.100.200", "168.63.129.16"])
    expect(await call(egressOf([`${address}:${port}`, `0.0.0.0/0:${port}`]), `http://${address}:${port}/`)).toBe("denied");
  expect(await call(egressOf([`[fd00:ec2::254]:${port}`]), `http://[fd00:ec2::254]:${port}/`)).toBe("denied");
  expect(await call(egressOf([`meta.test:${port}`], { dns: () => ["169.254.169.254"] }), `http://meta.test:${port}/`)).toBe("denied");
  expect(await call(egressOf([`127.0.0.1:${port}`], { ownPorts: [port] }), `http://127.0.0.1:${port}/`)).toBe("denied");
});

test("a name that resolves to a public address first and to this machine then finds nothing", async () => {
  let asked = 0;
  const egress = egressOf([], { dns: () => (asked++ === 0 ? ["93.184.215.14"] : ["127.0.0.1"]) });
  expect(egress.check(`http://rebind.test:${port}/`)).toBeUndefined();
  for (let i = 0; i < 3; i++) expect(await call(egress, `http://rebind.test:${port}/`)).not.toContain("200");
  expect(asked).toBeGreaterThan(1);
  expect(await call(egressOf([], { dns: () => ["93.184.215.14", "127.0.0.1"] }), `http://both.test:${port}/`)).toBe("denied");
});

test("any address that carries this machine's inside is refused, and any public one isn't", () => {
  const egress = egressOf([]);
  const byte = fc.integer({ min: 0, max: 255 });
  fc.assert(
    fc.property(byte, byte, byte, (b, c, d) => {
      const hex = (high: number, low: number) => ((high << 8) | low).toString(16);
      for (const host of [
        `127.${b}.${c}.${d}`,
        `10.${b}.${c}.${d}`,
        `169.254.${c}.${d}`,
        `[::ffff:127.${b}.${c}.${d}]`,
        `[64:ff9b::${hex(127, b)}:${hex(c, d)}]`,
        `[fe80::${hex(b, c)}]`,
      ])
        expect(egress.check(`http://${host}/`)).toBeDefined();
      for (const host of [`8.${b}.${c}.${d}`, `[2606:4700::${hex(c, d)}]`, `[::ffff:8.${b}.${c}.${d}]`])
        expect(egress.check(`http://${host}/`)).toBeUndefined();
    }),
  );
});

test.each(["ftp://8.8.8.8/", "file:///etc/passwd", "http://user@8.8.8.8/", "http://u:p@8.8.8.8/", "8.8.8.8", ""])(
  "what is no plain address of the web is refused: %s",
  (url) => expect(egressOf([]).check(url)).toBeDefined(),
);

test.each([
  "127.0.0.1",
  "127.0.0.1:",
  "127.0.0.1:0",
  "127.0.0.1:70000",
  "::1:80",
  "[127.0.0.1]:80",
  "10.0.0.0/33:80",
  "a b:80",
  "http://a:80",
])("an entry that says no host and port is refused: %s", (entry) =>
  expect(parseEgress([`ok.test:80`, entry])).toMatchObject({ ok: false, error: [{ path: "/1", got: entry }] }),
);
