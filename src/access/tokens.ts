/** Access tokens: made, listed, revoked, and told from each other on every request. */
import type { Selectable, Transaction } from "kysely";
import { Type } from "typebox";
import { checked } from "../checked.ts";
import type { Clock, Schema, Store } from "../store/index.ts";
import { err, ok, type Issue, type Result } from "../std.ts";
import type { Audit } from "./audit.ts";
import { grantable, rights, roles, type Principal, type Right, type Role } from "./rights.ts";
import { sameHash, tokenHash, tokenIdOf, tokenText } from "./token-text.ts";

export interface TokenRequest {
  /** Whose it is: a person or a program. Two tokens may share a name, so that a secret can be changed without a gap. */
  readonly name: string;
  readonly role: Role;
  /** Endpoints it reaches; all when left out. */
  readonly endpoints?: readonly string[];
  /** Rights on top of the role's, out of `grantable(role)`. */
  readonly grants?: readonly Right[];
  /** 90 when left out, at most 3,650. */
  readonly expiresInDays?: number;
}

export interface NewToken {
  readonly id: string;
  /** The secret itself, told this once and kept nowhere. */
  readonly token: string;
  /** null: it ends only when revoked. */
  readonly expiresAtMs: number | null;
}

export interface TokenView extends Omit<Principal, "tokenId"> {
  readonly id: string;
  readonly state: "live" | "expired" | "revoked";
  readonly createdAtMs: number;
  readonly createdBy: string;
  readonly expiresAtMs: number | null;
  readonly revokedAtMs: number | null;
}

/** `last-admin`: without it nobody could make tokens any more; make another admin's first. */
export type RevokeRefusal = { readonly kind: "unknown-token" } | { readonly kind: "last-admin" };

export interface TokensOptions {
  /** How long a token that was valid goes on being so while the database doesn't answer. Default 600,000 ms. */
  readonly isolationMaxMs?: number;
}

type TokenRow = Selectable<Schema["token"]>;

/** A token that the database confirmed at `confirmedAtUs` (monotonic). */
interface Known {
  readonly principal: Principal;
  readonly expiresAtMs: number | null;
  confirmedAtUs: number;
  nextCheckAtUs: number;
  /** Until then the database is taken for away, and nobody waits for it. */
  isolatedUntilUs: number;
  check: Promise<void> | undefined;
}

const DAY_MS = 86_400_000;
const EXPIRES_IN_DAYS = 90;
const EXPIRES_IN_DAYS_MAX = 3650;
/** A revocation by another process is noticed after this long while requests keep coming … */
const RECHECK_US = 2_000_000;
/** … and at the latest after this long: within the 5 s that are promised. */
const STALE_US = 4_500_000;
const PATIENCE_MS = 250;
const KNOWN_MAX = 10_000;
const NAME = /^[\p{L}\p{N}][\p{L}\p{N} ._@+-]{0,99}$/u;
const ENDPOINT = /^[a-z][a-z0-9-]{0,62}$/;

export class Tokens {
  readonly #store: Store;
  readonly #audit: Audit;
  readonly #clock: Clock;
  readonly #isolationMaxUs: number;
  /** By the hash of the token's text; oldest first. Holds no secret. */
  readonly #known = new Map<string, Known>();
  readonly #admitting = new Map<string, Promise<Principal | undefined>>();
  /** Counts revocations made here: what was read before one isn't remembered after it. */
  #revocations = 0;

  constructor(store: Store, audit: Audit, options: TokensOptions = {}) {
    this.#store = store;
    this.#audit = audit;
    this.#clock = store.runtime.clock;
    this.#isolationMaxUs = (options.isolationMaxMs ?? 600_000) * 1000;
  }

  async create(request: TokenRequest, actor: string): Promise<Result<NewToken, readonly Issue[]>> {
    const issues = issuesOf(request);
    if (issues.length > 0) return err(issues);
    const expiresAtMs = this.#clock.nowMs() + (request.expiresInDays ?? EXPIRES_IN_DAYS) * DAY_MS;
    return ok(await this.#store.transaction((tx) => this.#insert(tx, { request, actor, expiresAtMs })));
  }

  /**
   * On a store without any token: makes the one that all others are made with. It has no end, because nobody else could let its owner
   * in again on the day after; whoever wants an end makes another one and revokes this.
   * @returns undefined on every later start
   */
  async ensureFirstAdmin(): Promise<NewToken | undefined> {
    return this.#store.transaction(async (tx) => {
      await this.#audit.lock(tx);
      const any = await tx.selectFrom("token").select("id").limit(1).executeTakeFirst();
      if (any) return undefined;
      return this.#insert(tx, { request: { name: "first admin", role: "admin" }, actor: "server", expiresAtMs: null });
    });
  }

  /** Ends a token: here at once, in other processes within 5 s. Ending one that has been ended changes nothing. */
  async revoke(id: string, actor: string): Promise<Result<void, RevokeRefusal>> {
    const done = await this.#store.transaction(async (tx): Promise<Result<void, RevokeRefusal>> => {
      await this.#audit.lock(tx);
      const row = await tx.selectFrom("token").select(["name", "role", "revoked_at_ms"]).where("id", "=", id).executeTakeFirst();
      if (!row) return err({ kind: "unknown-token" });
      if (row.revoked_at_ms !== null) return ok(undefined);
      const nowMs = this.#clock.nowMs();
      if (row.role === "admin" && !(await this.#hasOtherAdmin(tx, id, nowMs))) return err({ kind: "last-admin" });
      await tx.updateTable("token").set({ revoked_at_ms: nowMs }).where("id", "=", id).execute();
      await this.#audit.append(tx, { actor, action: "token.revoked", object: `token/${id}`, payload: { name: row.name } });
      return ok(undefined);
    });
    this.#revocations++;
    for (const [key, { principal }] of this.#known) if (principal.tokenId === id) this.#known.delete(key);
    return done;
  }

  /** All that were ever made, newest first. */
  async list(): Promise<readonly TokenView[]> {
    const rows = await this.#store.db.selectFrom("token").selectAll().orderBy("created_at_ms", "desc").orderBy("id").execute();
    const nowMs = this.#clock.nowMs();
    return rows.flatMap((row) => viewOf(row, nowMs) ?? []);
  }

  /**
   * Whose token this is; undefined for one that is malformed, unknown, expired or revoked (never say which). A known one is answered
   * from memory, at once and without a promise; the database is asked again every few seconds, behind.
   * @throws when the database fails at the first sight of a token
   */
  authenticate(token: string): Principal | undefined | Promise<Principal | undefined> {
    const id = tokenIdOf(token);
    if (id === undefined) return undefined;
    const key = tokenHash(token);
    const known = this.#known.get(key);
    if (!known) return this.#admit(key, id);
    if (known.expiresAtMs !== null && this.#clock.nowMs() >= known.expiresAtMs) return undefined;
    const nowUs = this.#clock.monotonicUs();
    const ageUs = nowUs - known.confirmedAtUs;
    if (ageUs < RECHECK_US) return known.principal;
    const check = this.#recheck(key, known, nowUs);
    if (ageUs < STALE_US || (nowUs < known.isolatedUntilUs && ageUs < this.#isolationMaxUs)) return known.principal;
    return this.#confirmed(key, known, check);
  }

  async #insert(
    tx: Transaction<Schema>,
    made: { readonly request: TokenRequest; readonly actor: string; readonly expiresAtMs: number | null },
  ): Promise<NewToken> {
    const { random } = this.#store.runtime;
    const { name, role } = made.request;
    const id = random.bytes(6).toString("hex");
    const token = tokenText({ role, id, secret: random.bytes(32) });
    const endpoints = made.request.endpoints ? [...new Set(made.request.endpoints)].toSorted() : null;
    const grants = [...new Set(made.request.grants)].toSorted();
    await this.#audit.append(tx, {
      actor: made.actor,
      action: "token.created",
      object: `token/${id}`,
      payload: { name, role, endpoints, grants, expiresAtMs: made.expiresAtMs },
    });
    await tx
      .insertInto("token")
      .values({
        id,
        name,
        role,
        endpoints_json: endpoints && JSON.stringify(endpoints),
        grants_json: JSON.stringify(grants),
        secret_hash: tokenHash(token),
        created_at_ms: this.#clock.nowMs(),
        created_by: made.actor,
        expires_at_ms: made.expiresAtMs,
        revoked_at_ms: null,
      })
      .execute();
    return { id, token, expiresAtMs: made.expiresAtMs };
  }

  async #hasOtherAdmin(tx: Transaction<Schema>, id: string, nowMs: number): Promise<boolean> {
    const other = await tx
      .selectFrom("token")
      .select("id")
      .where("role", "=", "admin")
      .where("id", "<>", id)
      .where("revoked_at_ms", "is", null)
      .where((where) => where.or([where("expires_at_ms", "is", null), where("expires_at_ms", ">", nowMs)]))
      .limit(1)
      .executeTakeFirst();
    return other !== undefined;
  }

  /** First sight of a token. Many requests with it at once ask the database once. */
  #admit(key: string, id: string): Promise<Principal | undefined> {
    const under = this.#admitting.get(key);
    if (under) return under;
    const admitted = this.#lookUp(key, id).finally(() => this.#admitting.delete(key));
    this.#admitting.set(key, admitted);
    return admitted;
  }

  async #lookUp(key: string, id: string): Promise<Principal | undefined> {
    const [revocations, nowUs] = [this.#revocations, this.#clock.monotonicUs()];
    const row = await this.#valid(key, id);
    if (!row) return undefined;
    const principal = principalOf(row);
    if (!principal || revocations !== this.#revocations) return principal && this.#lookUp(key, id);
    const [oldest] = this.#known.keys();
    if (this.#known.size >= KNOWN_MAX && oldest !== undefined) this.#known.delete(oldest);
    this.#known.set(key, {
      principal,
      expiresAtMs: row.expires_at_ms,
      confirmedAtUs: nowUs,
      nextCheckAtUs: 0,
      isolatedUntilUs: 0,
      check: undefined,
    });
    return principal;
  }

  /** Asks the database again, once at a time and at most every second. Never throws: a database that is away is not a revocation. */
  #recheck(key: string, known: Known, nowUs: number): Promise<void> | undefined {
    if (known.check || nowUs < known.nextCheckAtUs) return known.check;
    known.nextCheckAtUs = nowUs + 1_000_000;
    const check = async () => {
      try {
        if (await this.#valid(key, known.principal.tokenId)) known.confirmedAtUs = nowUs;
        else this.#known.delete(key);
      } catch {
        known.isolatedUntilUs = this.#clock.monotonicUs() + RECHECK_US;
      } finally {
        known.check = undefined;
      }
    };
    known.check = check();
    return known.check;
  }

  /** Waits a little for the database; while that is away, the token holds as long as isolation may last. */
  async #confirmed(key: string, known: Known, check: Promise<void> | undefined): Promise<Principal | undefined> {
    const answered = check?.then(() => true);
    const inTime = answered && (await Promise.race([answered, this.#store.runtime.timers.sleep(PATIENCE_MS).then(() => false)]));
    if (this.#known.get(key) !== known) return undefined;
    const nowUs = this.#clock.monotonicUs();
    if (!inTime) known.isolatedUntilUs = nowUs + RECHECK_US;
    return nowUs - known.confirmedAtUs < this.#isolationMaxUs ? known.principal : undefined;
  }

  async #valid(key: string, id: string): Promise<TokenRow | undefined> {
    const row = await this.#store.db.selectFrom("token").selectAll().where("id", "=", id).executeTakeFirst();
    if (!row || !sameHash(row.secret_hash, key)) return undefined;
    return stateOf(row, this.#clock.nowMs()) === "live" ? row : undefined;
  }
}

function issuesOf({ name, role, endpoints, grants, expiresInDays }: TokenRequest): Issue[] {
  const issues: Issue[] = [];
  if (!NAME.test(name)) {
    issues.push({ path: "/name", expected: "1 to 100 letters, digits, spaces and . _ @ + -, beginning with a letter or digit", got: name });
  }
  for (const [i, endpoint] of (endpoints ?? []).entries()) {
    if (!ENDPOINT.test(endpoint)) issues.push({ path: `/endpoints/${i}`, expected: "the name of an endpoint", got: endpoint });
  }
  if (endpoints && role === "admin") {
    issues.push({
      path: "/endpoints",
      expected: "nothing for an admin",
      hint: "whoever makes tokens can make one that reaches every endpoint; make an operator's instead",
    });
  }
  if (endpoints?.length === 0) issues.push({ path: "/endpoints", expected: "at least one endpoint, or leave it out for all" });
  const choices = grantable(role);
  for (const [i, grant] of (grants ?? []).entries()) {
    if (choices.includes(grant)) continue;
    issues.push({
      path: `/grants/${i}`,
      expected: choices.length > 0 ? `one of ${choices.join(", ")}` : `no grant: the role ${role} takes none`,
      got: grant,
    });
  }
  if (expiresInDays !== undefined && !(Number.isInteger(expiresInDays) && expiresInDays >= 1 && expiresInDays <= EXPIRES_IN_DAYS_MAX)) {
    issues.push({ path: "/expiresInDays", expected: `a whole number from 1 to ${EXPIRES_IN_DAYS_MAX}`, got: String(expiresInDays) });
  }
  return issues;
}

function stateOf(row: TokenRow, nowMs: number): TokenView["state"] {
  if (row.revoked_at_ms !== null) return "revoked";
  return row.expires_at_ms !== null && nowMs >= row.expires_at_ms ? "expired" : "live";
}

const parseTexts = checked(Type.Array(Type.String()));

/** undefined for a role that this version doesn't know: a token of a newer one opens nothing here. */
function principalOf(row: TokenRow): Principal | undefined {
  const role = roles.find((known) => known === row.role);
  const endpoints = row.endpoints_json === null ? ok(null) : parseTexts(JSON.parse(row.endpoints_json));
  const grants = parseTexts(JSON.parse(row.grants_json));
  if (!role || !endpoints.ok || !grants.ok) return undefined;
  return {
    tokenId: row.id,
    name: row.name,
    role,
    endpoints: endpoints.value,
    grants: rights.filter((right) => grants.value.includes(right)),
  };
}

function viewOf(row: TokenRow, nowMs: number): TokenView | undefined {
  const principal = principalOf(row);
  if (!principal) return undefined;
  const { tokenId: id, ...rest } = principal;
  return {
    id,
    ...rest,
    state: stateOf(row, nowMs),
    createdAtMs: row.created_at_ms,
    createdBy: row.created_by,
    expiresAtMs: row.expires_at_ms,
    revokedAtMs: row.revoked_at_ms,
  };
}
