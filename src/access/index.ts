export { parseAuditHead, type AuditHead, type AuditProblem, type AuditVerdict } from "./audit-chain.ts";
export { Audit, type AuditNote, type AuditPage, type AuditRecord } from "./audit.ts";
export { EGRESS_HINT, Egress, EgressDenied, parseEgress, type EgressOptions, type EgressRules } from "./egress.ts";
export {
  actorOf,
  grantable,
  isBeyondLimits,
  mayDo,
  reaches,
  rights,
  roles,
  rolesWith,
  type Principal,
  type Right,
  type Role,
} from "./rights.ts";
export { SIGNING, SecretName, secretIssues, secretNamed, signingKeysOf, variableOf, type Secrets } from "./named-secrets.ts";
export { CallFailed, Outgoing, answerInWords, type OutgoingAnswer, type OutgoingCall } from "./outgoing.ts";
export { retryAfterMs, retryDelayMs } from "./retry.ts";
export { webhookSignature, type SigningKey } from "./webhook-signature.ts";
export { ProtectedReads, type ProtectedRead } from "./protected-reads.ts";
export { ClockWatch } from "./clock-watch.ts";
export { basicPasswordOf, bearerOf } from "./token-text.ts";
export { Tokens, type NewToken, type RevokeRefusal, type TokenRequest, type TokenView, type TokensOptions } from "./tokens.ts";
