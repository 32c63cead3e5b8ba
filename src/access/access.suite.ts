/** What must hold on every database: run by `access.test.ts` and `access.pg.test.ts`. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { FreshStore } from "../../test/sqlite.ts";
import type { SimulatedRuntime } from "../store/index.ts";
import { Audit } from "./audit.ts";
import { Tokens, type TokenRequest } from "./tokens.ts";

const DAY_MS = 86_400_000;

/** @param open - gives an empty store on the runtime */
export function accessSuite(open: () => Promise<FreshStore & { readonly runtime: SimulatedRuntime }>): void {
  let fresh: FreshStore & { readonly runtime: SimulatedRuntime };
  let audit: Audit;
  let tokens: Tokens;
  beforeEach(async () => {
    fresh = await open();
    audit = new Audit(fresh.store);
    tokens = new Tokens(fresh.store, audit);
  });
  afterEach(() => fresh.drop());

  const note = (object: string) => ({ actor: "ana", action: "thing.done", object, payload: { object } });
  const append = (object: string) => fresh.store.transaction((tx) => audit.append(tx, note(object)));
  const make = async (request: Partial<TokenRequest> = {}) => {
    const made = await tokens.create({ name: "ana", role: "viewer", ...request }, "test");
    if (!made.ok) throw new Error(JSON.stringify(made.error));
    return made.value;
  };

  describe("the audit log", () => {
    test("entries appended at once form one chain", async () => {
      await Promise.all(Array.from({ length: 25 }, (_, i) => append(`thing/${i}`)));
      expect(await audit.verify()).toMatchObject({ ok: true, entries: 25, head: await audit.head() });
    });

    test("a change that isn't made leaves no entry", async () => {
      const broken = fresh.store.transaction(async (tx) => {
        await audit.append(tx, note("thing/1"));
        throw new Error("changed my mind");
      });
      await expect(broken).rejects.toThrow("changed my mind");
      expect(await audit.head()).toBeNull();
    });

    test("what is changed in the table is found and named", async () => {
      for (let i = 0; i < 5; i++) await append(`thing/${i}`);
      await fresh.store.db.updateTable("audit").set({ payload_json: "{}" }).where("seq", "=", 2).execute();
      await fresh.store.db.deleteFrom("audit").where("seq", "=", 4).execute();
      expect(await audit.verify()).toMatchObject({
        ok: false,
        problems: [
          { seq: 2, kind: "payload-changed" },
          { seq: 4, kind: "missing" },
        ],
      });
    });

    test("a cut tail is found against a head that was kept", async () => {
      for (let i = 0; i < 3; i++) await append(`thing/${i}`);
      const head = (await audit.head()) ?? undefined;
      await fresh.store.db.deleteFrom("audit").where("seq", "=", 3).execute();
      expect(await audit.verify(head)).toMatchObject({ ok: false, problems: [{ seq: 3, kind: "cut" }] });
    });

    test("erasing a payload leaves the chain valid and says who did it", async () => {
      await append("thing/1");
      expect(await audit.erase(1, { actor: "ana", reason: "request 7" })).toEqual({ ok: true, value: undefined });
      expect(await audit.verify()).toMatchObject({ ok: true, entries: 2, erased: 1 });
      const { entries } = await audit.list();
      expect(entries).toMatchObject([
        { seq: 2, action: "audit.erased", object: "audit/1", payload: { reason: "request 7" } },
        { seq: 1, payload: null, isErased: true },
      ]);
      expect(await audit.erase(9, { actor: "ana", reason: "none" })).toEqual({ ok: false, error: "unknown-entry" });
    });

    test("pages of the log meet without gap or overlap", async () => {
      for (let i = 0; i < 7; i++) await append(`thing/${i}`);
      const seen: number[] = [];
      let before: number | undefined;
      for (let pages = 0; pages < 4; pages++) {
        const page = await audit.list({ limit: 3, ...(before === undefined ? {} : { before }) });
        seen.push(...page.entries.map(({ seq }) => seq));
        if (page.next === null) break;
        before = page.next;
      }
      expect(seen).toEqual([7, 6, 5, 4, 3, 2, 1]);
    });
  });

  describe("tokens", () => {
    test("a token says who it is and what it reaches, and only its hash is kept", async () => {
      const { id, token } = await make({ role: "analyst", endpoints: ["loans"], grants: ["protected:read"] });
      expect(await tokens.authenticate(token)).toEqual({
        tokenId: id,
        name: "ana",
        role: "analyst",
        endpoints: ["loans"],
        grants: ["protected:read"],
      });
      const [, , , secret = ""] = token.split("_");
      const kept = JSON.stringify([await fresh.store.db.selectFrom("token").selectAll().execute(), await audit.list()]);
      expect(secret).toHaveLength(64);
      expect(kept).not.toContain(secret);
    });

    test("a token that is known is answered without a promise", async () => {
      const { token } = await make();
      await tokens.authenticate(token);
      expect(tokens.authenticate(token)).toMatchObject({ name: "ana" });
    });

    test("truncated, altered, foreign and made-up tokens open nothing", async () => {
      const { token } = await make();
      const [ek, role, id, secret = "", crc] = token.split("_");
      const other = await make();
      const [, , otherId] = other.token.split("_");
      const wrong = [
        "",
        token.slice(0, -1),
        `${token}0`,
        ` ${token}`,
        token.toUpperCase(),
        [ek, role, id, secret.replace(/^./, secret.startsWith("0") ? "1" : "0"), crc].join("_"),
        [ek, "admin", id, secret, crc].join("_"),
        [ek, role, otherId, secret, crc].join("_"),
        "x".repeat(100_000),
      ];
      for (const each of wrong) expect(await tokens.authenticate(each)).toBeUndefined();
    });

    test("a right checksum does not make up for a wrong secret, id or role", async () => {
      const { token } = await make();
      const { crc32 } = await import("node:zlib");
      const sealed = (text: string) => `${text}_${crc32(text).toString(16).padStart(8, "0")}`;
      const [ek, role, id, secret = ""] = token.split("_");
      expect(sealed([ek, role, id, secret].join("_"))).toBe(token);
      expect(await tokens.authenticate(sealed([ek, role, id, "0".repeat(64)].join("_")))).toBeUndefined();
      expect(await tokens.authenticate(sealed([ek, "admin", id, secret].join("_")))).toBeUndefined();
      expect(await tokens.authenticate(sealed([ek, role, "000000000000", secret].join("_")))).toBeUndefined();
    });

    test("a token ends after 90 days, also where it is known", async () => {
      const { token } = await make();
      await fresh.runtime.advance(90 * DAY_MS - 1);
      expect(await tokens.authenticate(token)).toBeDefined();
      await fresh.runtime.advance(1);
      expect(await tokens.authenticate(token)).toBeUndefined();
      expect(await tokens.list()).toMatchObject([{ state: "expired" }]);
    });

    test("a revoked token opens nothing any more: here at once, in another process within 5 seconds", async () => {
      const { id, token } = await make();
      const elsewhere = new Tokens(fresh.store, audit);
      expect(await elsewhere.authenticate(token)).toBeDefined();
      expect(await tokens.authenticate(token)).toBeDefined();
      expect(await tokens.revoke(id, "test")).toEqual({ ok: true, value: undefined });
      expect(await tokens.authenticate(token)).toBeUndefined();
      await fresh.runtime.advance(5000);
      expect(await elsewhere.authenticate(token)).toBeUndefined();
    });

    test("revoking again changes nothing; revoking what isn't there is told", async () => {
      const { id } = await make();
      await tokens.revoke(id, "test");
      const head = await audit.head();
      expect((await tokens.revoke(id, "test")).ok).toBe(true);
      expect(await tokens.revoke("000000000000", "test")).toEqual({ ok: false, error: { kind: "unknown-token" } });
      expect(await audit.head()).toEqual(head);
    });

    test("a fresh store gives one admin's token once, and the last admin can't be revoked", async () => {
      const [first, second] = await Promise.all([tokens.ensureFirstAdmin(), tokens.ensureFirstAdmin()]);
      const admin = first ?? second;
      expect([first, second].filter((made) => made !== undefined)).toHaveLength(1);
      expect(admin).toMatchObject({ expiresAtMs: null });
      expect(await tokens.authenticate(admin?.token ?? "")).toMatchObject({ role: "admin", endpoints: null });
      expect(await tokens.ensureFirstAdmin()).toBeUndefined();
      expect(await tokens.revoke(admin?.id ?? "", "test")).toEqual({ ok: false, error: { kind: "last-admin" } });
      await make({ role: "admin" });
      expect((await tokens.revoke(admin?.id ?? "", "test")).ok).toBe(true);
    });

    test("what can't be granted is refused with what can, and nothing is written", async () => {
      const made = await tokens.create(
        { name: "#ana", role: "operator", endpoints: ["Loans!"], grants: ["decide"], expiresInDays: 0 },
        "test",
      );
      expect(made).toMatchObject({
        ok: false,
        error: [{ path: "/name" }, { path: "/endpoints/0" }, { path: "/grants/0", got: "decide" }, { path: "/expiresInDays" }],
      });
      expect(await tokens.create({ name: "ana", role: "admin", endpoints: ["loans"] }, "test")).toMatchObject({ ok: false });
      expect(await tokens.list()).toEqual([]);
      expect(await audit.head()).toBeNull();
    });
  });
}
