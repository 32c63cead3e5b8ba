/** Channels and alerts as they are declared: applied, changed, taken away. */
import type { Audit } from "../../access/index.ts";
import { err, ok, unreachable, type Issue, type Result } from "../../std.ts";
import { canonicalJson, type Store } from "../../store/index.ts";
import {
  parseAlerts,
  parseChannel,
  storedAlerts,
  storedChannel,
  type AlertSurroundings,
  type AlertsSpec,
  type ChannelSpec,
} from "./spec.ts";
import { dropChannel } from "./stored-notices.ts";

export type DeclarationKind = "channel" | "alerts";

/** Everything that is declared, in the order of names. */
export interface Declared {
  readonly channels: readonly ChannelSpec[];
  readonly alerts: readonly AlertsSpec[];
}
export interface AppliedDeclaration {
  readonly name: string;
  readonly change: "created" | "changed" | "unchanged";
}
export type DeclarationRefusal =
  | { readonly kind: "invalid"; readonly issues: readonly Issue[] }
  | { readonly kind: "unknown" }
  /** What still tells the channel. */
  | { readonly kind: "in-use"; readonly by: readonly string[] };

/** Who did it, for the audit log. */
export interface By {
  readonly actor: string;
  readonly reason: string;
}

/** What stands before a declaration in the same file, and isn't there yet in a dry run. */
export interface Before {
  readonly channels: readonly string[];
  readonly endpoints: readonly string[];
}

export interface DeclarationsOptions extends AlertSurroundings {
  readonly store: Store;
  readonly audit: Audit;
  readonly endpoints: () => readonly string[];
  /** Guardrails that name a channel themselves, in words: `guardrail parity of loans`. */
  readonly guardrailsTelling: (channel: string) => readonly string[];
}

export class Declarations {
  readonly #options: DeclarationsOptions;

  constructor(options: DeclarationsOptions) {
    this.#options = options;
  }

  async all(): Promise<Declared> {
    const rows = await this.#options.store.db.selectFrom("alert_setting").selectAll().orderBy("name").execute();
    const of = (kind: DeclarationKind) => rows.filter((row) => row.kind === kind).map(({ spec_json }) => spec_json);
    return { channels: of("channel").map(storedChannel), alerts: of("alerts").map(storedAlerts) };
  }

  /** Reads a declaration. @returns its name and whether it would change anything */
  async plan(
    kind: DeclarationKind,
    value: unknown,
    before: Before = { channels: [], endpoints: [] },
  ): Promise<Result<AppliedDeclaration & { readonly specJson: string }, DeclarationRefusal>> {
    const spec = await this.#parse(kind, value, before);
    if (!spec.ok) return err({ kind: "invalid", issues: spec.error });
    const { name } = spec.value;
    const specJson = canonicalJson(spec.value);
    const known = await this.#options.store.db
      .selectFrom("alert_setting")
      .select("spec_json")
      .where("kind", "=", kind)
      .where("name", "=", name)
      .executeTakeFirst();
    return ok({ name, specJson, change: known === undefined ? "created" : known.spec_json === specJson ? "unchanged" : "changed" });
  }

  async apply(kind: DeclarationKind, value: unknown, by: By): Promise<Result<AppliedDeclaration, DeclarationRefusal>> {
    const planned = await this.plan(kind, value);
    if (!planned.ok) return planned;
    const { name, change, specJson } = planned.value;
    if (change === "unchanged") return ok({ name, change });
    const { store, audit } = this.#options;
    const nowMs = store.runtime.clock.nowMs();
    await store.transaction(async (tx) => {
      await audit.lock(tx);
      await tx
        .insertInto("alert_setting")
        .values({ kind, name, spec_json: specJson, created_at_ms: nowMs, updated_at_ms: nowMs })
        .onConflict((conflict) => conflict.columns(["kind", "name"]).doUpdateSet({ spec_json: specJson, updated_at_ms: nowMs }))
        .execute();
      await audit.append(tx, {
        actor: by.actor,
        action: `${kind}.${change}`,
        object: `${kind}/${name}`,
        payload: { spec: specJson, reason: by.reason },
      });
    });
    return ok({ name, change });
  }

  /** Takes a declaration away; a channel only where nothing tells it any more. What waited for it is dropped. */
  async remove(kind: DeclarationKind, name: string, by: By): Promise<Result<void, DeclarationRefusal>> {
    const { store, audit, guardrailsTelling } = this.#options;
    const declared = await this.all();
    const known = kind === "channel" ? declared.channels : declared.alerts;
    if (!known.some((spec) => spec.name === name)) return err({ kind: "unknown" });
    if (kind === "channel") {
      const tells = ({ tell, escalate = [] }: AlertsSpec) =>
        [tell, ...escalate.map((step) => step.tell)].some((some) => some.includes(name));
      const users = [...declared.alerts.filter(tells).map((spec) => `alerts ${spec.name}`), ...guardrailsTelling(name)];
      if (users.length > 0) return err({ kind: "in-use", by: users });
    }
    await store.transaction(async (tx) => {
      await audit.lock(tx);
      await tx.deleteFrom("alert_setting").where("kind", "=", kind).where("name", "=", name).execute();
      if (kind === "channel") await dropChannel(tx, name, store.runtime.clock.nowMs());
      await audit.append(tx, { actor: by.actor, action: `${kind}.removed`, object: `${kind}/${name}`, payload: { reason: by.reason } });
    });
    return ok(undefined);
  }

  async #parse(kind: DeclarationKind, value: unknown, before: Before): Promise<Result<ChannelSpec | AlertsSpec, readonly Issue[]>> {
    switch (kind) {
      case "channel":
        return parseChannel(value, this.#options);
      case "alerts": {
        const { channels } = await this.all();
        return parseAlerts(value, {
          channels: [...new Set([...channels.map(({ name }) => name), ...before.channels])],
          endpoints: [...new Set([...this.#options.endpoints(), ...before.endpoints])],
        });
      }
      default:
        return unreachable(kind);
    }
  }
}
