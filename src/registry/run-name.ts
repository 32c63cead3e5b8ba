/** Names for runs that nobody named: two words and a number. */
import type { Random } from "../store/index.ts";

const ADJECTIVES = [
  "able",
  "brisk",
  "calm",
  "clear",
  "eager",
  "even",
  "fair",
  "fresh",
  "keen",
  "level",
  "light",
  "neat",
  "plain",
  "quiet",
  "steady",
  "upright",
];
const NOUNS = [
  "anchor",
  "barge",
  "beacon",
  "bow",
  "cutter",
  "harbour",
  "keel",
  "ketch",
  "mast",
  "oar",
  "pilot",
  "rudder",
  "sail",
  "sloop",
  "tide",
  "yawl",
];

export function runName(random: Random): string {
  const [a = 0, b = 0, c = 0, d = 0] = random.bytes(4);
  return `${ADJECTIVES[a % ADJECTIVES.length]}-${NOUNS[b % NOUNS.length]}-${(c * 256 + d) % 1000}`;
}
