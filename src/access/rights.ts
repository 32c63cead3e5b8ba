/** Who may do what: one table, complete by type, so that a new right or role can't be forgotten in it. */

/** People hold the first four roles, programs the last three. */
export const roles = ["viewer", "analyst", "operator", "admin", "application", "outcomes", "trainer"] as const;
export type Role = (typeof roles)[number];

export const rights = [
  /** See endpoints, releases, guardrails, incidents and aggregates. */
  "read",
  /** See datasets, feature sets, runs, models and lineage. */
  "registry:read",
  /** See single decisions, without what is protected in them. */
  "decisions:read",
  /**
   * See groups, subjects and protected inputs. Each read of people's rows, of groups of a dataset and of raw bytes is noted in the audit
   * log before it is answered (`ProtectedReads`); names of groups over an endpoint's aggregates, which pages show all the time, aren't.
   */
  "protected:read",
  "decide",
  /** Ask one release by name, whatever the route table says: recorded apart, evidence for nothing, so that whoever controls may try it. */
  "decide:pinned",
  /** See what an endpoint asks and answers, and whether it can: what clients of inference protocols look at first. */
  "describe",
  "outcomes:write",
  "registry:write",
  /** Take versions of datasets away, or rows out of them. */
  "registry:remove",
  /** Move a protected alias or tag, and protect one or free it. */
  "registry:protected",
  /** Declare endpoints, releases and guardrails. */
  "apply",
  /** Deploy, promote, roll back, pause a guardrail. */
  "route:write",
  /** Let a condemned release serve again. */
  "reinstate",
  /** Have the server call another one: name a model server's address. */
  "targets:write",
  /** Have decisions delivered elsewhere: declare sinks, pause and remove them. */
  "sinks:write",
  /** Say where alerts are delivered, and who is told of what. */
  "alerts:write",
  /** Acknowledge an alert, silence some for a while, try a channel, have sent again what was given up. */
  "alerts:answer",
  /** Decide about an affected person's case. */
  "review",
  "tokens:write",
  "audit:read",
] as const;
export type Right = (typeof rights)[number];

/** `grant`: only where the token names the right among its grants. */
type Holding = "yes" | "grant" | "no";

/**
 * The rule behind the table: whoever can move a tally (`decide`, `outcomes:write`) can't touch what the tallies control, and whoever
 * controls can't move a tally (reliability-security.md T20). So those two rights are nobody's but programs', not even by grant.
 * An operator may write to the registry, since deploying a model file registers it first and what is registered serves nobody yet;
 * the trainer, in turn, can't deploy. An admin does what an operator does, so that a small team needs one person's token only.
 */
const holdings = {
  read: { viewer: "yes", analyst: "yes", operator: "yes", admin: "yes", application: "no", outcomes: "no", trainer: "no" },
  "registry:read": { viewer: "yes", analyst: "yes", operator: "yes", admin: "yes", application: "no", outcomes: "no", trainer: "yes" },
  "decisions:read": { viewer: "no", analyst: "yes", operator: "no", admin: "grant", application: "no", outcomes: "no", trainer: "no" },
  "protected:read": { viewer: "no", analyst: "grant", operator: "no", admin: "grant", application: "no", outcomes: "no", trainer: "no" },
  decide: { viewer: "no", analyst: "no", operator: "no", admin: "no", application: "yes", outcomes: "no", trainer: "no" },
  "decide:pinned": { viewer: "no", analyst: "no", operator: "yes", admin: "yes", application: "grant", outcomes: "no", trainer: "no" },
  describe: { viewer: "yes", analyst: "yes", operator: "yes", admin: "yes", application: "yes", outcomes: "no", trainer: "no" },
  "outcomes:write": { viewer: "no", analyst: "no", operator: "no", admin: "no", application: "no", outcomes: "yes", trainer: "no" },
  "registry:write": { viewer: "no", analyst: "no", operator: "yes", admin: "yes", application: "no", outcomes: "no", trainer: "yes" },
  "registry:remove": { viewer: "no", analyst: "no", operator: "yes", admin: "yes", application: "no", outcomes: "no", trainer: "no" },
  "registry:protected": {
    viewer: "no",
    analyst: "no",
    operator: "grant",
    admin: "yes",
    application: "no",
    outcomes: "no",
    trainer: "grant",
  },
  apply: { viewer: "no", analyst: "no", operator: "yes", admin: "yes", application: "no", outcomes: "no", trainer: "no" },
  "route:write": { viewer: "no", analyst: "no", operator: "yes", admin: "yes", application: "no", outcomes: "no", trainer: "no" },
  reinstate: { viewer: "no", analyst: "no", operator: "yes", admin: "yes", application: "no", outcomes: "no", trainer: "no" },
  "targets:write": { viewer: "no", analyst: "no", operator: "grant", admin: "yes", application: "no", outcomes: "no", trainer: "no" },
  "sinks:write": { viewer: "no", analyst: "no", operator: "grant", admin: "yes", application: "no", outcomes: "no", trainer: "no" },
  "alerts:write": { viewer: "no", analyst: "no", operator: "grant", admin: "yes", application: "no", outcomes: "no", trainer: "no" },
  "alerts:answer": { viewer: "no", analyst: "no", operator: "yes", admin: "yes", application: "no", outcomes: "no", trainer: "no" },
  review: { viewer: "no", analyst: "yes", operator: "no", admin: "grant", application: "no", outcomes: "no", trainer: "no" },
  "tokens:write": { viewer: "no", analyst: "no", operator: "no", admin: "yes", application: "no", outcomes: "no", trainer: "no" },
  "audit:read": { viewer: "no", analyst: "yes", operator: "yes", admin: "yes", application: "no", outcomes: "no", trainer: "no" },
} as const satisfies Record<Right, Record<Role, Holding>>;

/** Whoever a request comes from, as a token proved it. */
export interface Principal {
  readonly tokenId: string;
  readonly name: string;
  readonly role: Role;
  /** Endpoints that the token reaches; null is all, also those to come. */
  readonly endpoints: readonly string[] | null;
  readonly grants: readonly Right[];
}

/** What these open tells of every endpoint, so a token that is limited to some doesn't hold them, whatever its role. */
const serverWide: ReadonlySet<Right> = new Set<Right>(["audit:read", "tokens:write", "sinks:write", "alerts:write"]);

/** Whether a right is kept from a token only because that is limited to some endpoints. */
export const isBeyondLimits = (principal: Principal, right: Right): boolean => principal.endpoints !== null && serverWide.has(right);

export function mayDo(principal: Principal, right: Right): boolean {
  if (isBeyondLimits(principal, right)) return false;
  const holding: Holding = holdings[right][principal.role];
  return holding === "yes" || (holding === "grant" && principal.grants.includes(right));
}

/** Whether an endpoint exists for this principal at all. Where it doesn't, answer as for a missing one. */
export function reaches(principal: Principal, endpoint: string): boolean {
  return principal.endpoints === null || principal.endpoints.includes(endpoint);
}

/** The rights that a token of this role may be given on top of its own. */
export function grantable(role: Role): readonly Right[] {
  return rights.filter((right) => holdings[right][role] === "grant");
}

/** The roles that hold a right, for an error that says whom to ask. */
export function rolesWith(right: Right): readonly Role[] {
  return roles.filter((role) => holdings[right][role] !== "no");
}

/** Who did it, in the audit log and in every history: `ana#3f2a91c0b4d7`, since two tokens may carry one name. */
export function actorOf(principal: Principal): string {
  return `${principal.name}#${principal.tokenId}`;
}
