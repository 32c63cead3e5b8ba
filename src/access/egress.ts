/**
 * Whom the server may call: public addresses; private and loopback ones only where its own configuration names them; those of cloud
 * metadata, link-local ones and its own ports never. What is checked is the very address that is connected to, so that a name which
 * resolves differently the second time finds nothing (reliability-security.md T9 and its recipe).
 */
import { lookup as systemLookup } from "node:dns";
import { BlockList, isIP, isIPv6, type LookupFunction, type Socket } from "node:net";
import { buildConnector } from "undici";
import { err, ok, type Issue, type Result } from "../std.ts";

/** One place that may be called though it isn't public: a name, or a range of addresses, and a port. */
interface Allowed {
  readonly port: number;
  readonly name: string | null;
  readonly addresses: BlockList;
}

/** What may be called though it isn't public. Made by `parseEgress`. */
export type EgressRules = readonly Allowed[];

/** The server may not call that address. Says no more: whoever chose the address could learn what is behind it. */
export class EgressDenied extends Error {
  override readonly name = "EgressDenied";
  constructor() {
    super("the server may not call this address");
  }
}

/** For errors about an address that was refused. */
export const EGRESS_HINT =
  "private and loopback addresses are called only if the server was started with --allow-egress host:port; link-local and metadata addresses never";

/** Reads `host:port` entries: a name, an address (`[::1]:8080`) or a network (`10.0.0.0/8:8080`). Issues have the entry's index as path. */
export function parseEgress(entries: readonly string[]): Result<EgressRules, readonly Issue[]> {
  const issues: Issue[] = [];
  const rules = entries.flatMap((entry, i) => {
    const rule = parseEntry(entry);
    if (!rule) {
      const hint = "say each port: loopback without one would open every service of this machine";
      issues.push({ path: `/${i}`, expected: "host:port, [::1]:8080 or 10.0.0.0/8:8080", got: entry, hint });
    }
    return rule ? [rule] : [];
  });
  return issues.length > 0 ? err(issues) : ok(rules);
}

function parseEntry(entry: string): Allowed | undefined {
  const [, bracketed, plain, prefix, digits] = /^(?:\[([0-9A-Fa-f:.]+)\]|([^[\]/:\s]+))(?:\/(\d{1,3}))?:(\d{1,5})$/.exec(entry) ?? [];
  const host = bracketed ?? plain;
  const port = Number(digits);
  if (host === undefined || port < 1 || port > 65_535) return undefined;
  const addresses = new BlockList();
  const family = isIP(host);
  if (family === 0)
    return bracketed === undefined && prefix === undefined && /^[A-Za-z0-9._-]+$/.test(host)
      ? { port, name: host.toLowerCase(), addresses }
      : undefined;
  const bits = prefix === undefined ? (family === 6 ? 128 : 32) : Number(prefix);
  if (bits > (family === 6 ? 128 : 32) || (family === 6) !== (bracketed !== undefined)) return undefined;
  addresses.addSubnet(host, bits, family === 6 ? "ipv6" : "ipv4");
  return { port, name: null, addresses };
}

const listOf = (networks: string): BlockList => {
  const list = new BlockList();
  for (const network of networks.trim().split(/\s+/)) {
    const [address = "", bits] = network.split("/");
    list.addSubnet(address, Number(bits), isIPv6(address) ? "ipv6" : "ipv4");
  }
  return list;
};

/** Link-local and metadata of the clouds, "this host", multicast and reserved, and IPv6 forms that carry an IPv4 address inside. */
const NEVER = listOf(`
  169.254.0.0/16 100.100.100.200/32 168.63.129.16/32 192.0.0.192/32 0.0.0.0/8 224.0.0.0/4 240.0.0.0/4 fe80::/10
  fd00:ec2::254/128 fd20:ce::254/128 ff00::/8 ::/128 64:ff9b::/96 64:ff9b:1::/48 2002::/16`);
/**
 * What isn't public. `::ffff:0:0/96` must not stand here: it would match every IPv4 address; mapped ones are matched by their IPv4
 * rule as they are.
 */
const INNER = listOf(`
  10.0.0.0/8 127.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 192.0.0.0/24 192.0.2.0/24 192.88.99.0/24
  198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 ::/96 fc00::/7 fec0::/10 100::/64 2001::/23 2001:db8::/32`);

export interface EgressOptions {
  readonly rules: EgressRules;
  /** Ports that this server itself listens on, asked at each connection. */
  readonly ownPorts?: () => ReadonlySet<number>;
  /** The system's resolver by default. */
  readonly lookup?: typeof systemLookup;
}

/** The guard of all calls that people's configuration makes the server do. Agents of undici take its `connector`. */
export class Egress {
  readonly #rules: EgressRules;
  readonly #ownPorts: () => ReadonlySet<number>;
  readonly #lookup: typeof systemLookup;

  constructor({ rules, ownPorts, lookup }: EgressOptions) {
    this.#rules = rules;
    this.#ownPorts = ownPorts ?? (() => new Set());
    this.#lookup = lookup ?? systemLookup;
  }

  /** What is wrong with an address, as far as that shows without asking for it; the rest is found at each connection. */
  check(url: string): Omit<Issue, "path"> | undefined {
    if (!URL.canParse(url)) return { expected: "an address that begins with http:// or https://", got: "something else" };
    const { protocol, username, password, hostname, port } = new URL(url);
    if (protocol !== "http:" && protocol !== "https:")
      return { expected: "an address that begins with http:// or https://", got: protocol };
    if (username !== "" || password !== "") return { expected: "no user name or password in the address", got: "some" };
    const host = unbracketed(hostname);
    if (isIP(host) !== 0 && this.#isRefused(host, host, portOf(protocol, port)))
      return { expected: "an address that this server may call", got: "one that it may not", hint: EGRESS_HINT };
    return undefined;
  }

  /** Connects only where it may. @param timeoutMs - for one connection */
  connector(timeoutMs: number): buildConnector.connector {
    return (options, callback) => {
      const host = unbracketed(options.hostname);
      const port = portOf(options.protocol, options.port);
      // A literal address never reaches the resolver.
      if (isIP(host) !== 0 && this.#isRefused(host, host, port)) return callback(new EgressDenied(), null);
      const lookup: LookupFunction = (name, wanted, done) =>
        this.#lookup(name, { ...wanted, all: true }, (error, found) => {
          const [first] = found ?? [];
          if (error || !first) return done(error ?? new EgressDenied(), "");
          if (found.some(({ address }) => this.#isRefused(address, host, port))) return done(new EgressDenied(), "");
          return wanted.all ? done(null, found) : done(null, first.address, first.family);
        });
      buildConnector({ timeout: timeoutMs, lookup, allowH2: false })(options, (...[error, socket]) => {
        if (error) return callback(error, null);
        if (this.#isRefused(socket.remoteAddress ?? "0.0.0.0", host, port)) {
          socket.destroy();
          return callback(new EgressDenied(), null);
        }
        return callback(null, socket);
      });
    };
  }

  /** A connection for what isn't HTTP, held to the same rules. @throws EgressDenied, or what the network said */
  connect({ host, port, timeoutMs }: { readonly host: string; readonly port: number; readonly timeoutMs: number }): Promise<Socket> {
    const connect = this.connector(timeoutMs);
    return new Promise((resolve, reject) => {
      connect({ hostname: host, protocol: "http:", port: String(port) }, (...[error, socket]) => (error ? reject(error) : resolve(socket)));
    });
  }

  /** @param name - what was asked for, before it was resolved */
  #isRefused(address: string, name: string, port: number): boolean {
    const family = isIPv6(address) ? "ipv6" : "ipv4";
    if (NEVER.check(address, family)) return true;
    if (!INNER.check(address, family)) return false;
    if (this.#ownPorts().has(port)) return true;
    return !this.#rules.some((rule) => rule.port === port && (rule.name === name.toLowerCase() || rule.addresses.check(address, family)));
  }
}

const unbracketed = (hostname: string) => hostname.replace(/^\[|\]$/g, "");
const portOf = (protocol: string, port: string) => (port === "" ? (protocol === "https:" ? 443 : 80) : Number(port));
