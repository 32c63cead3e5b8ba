/** What `data` says about versions that are kept, taken away, checked or redacted. */
import type { RedactionView, SweepView, VerificationView } from "../api/index.ts";
import { plural } from "./format.ts";
import { styled, table, type Io } from "./io.ts";

export function sweepText(io: Io, { isTrial, removed, kept, freeBytes, freeLaterBytes }: SweepView): string {
  const gone = removed.map(({ dataset, number, bytes }) => [`${dataset}/${number}`, bytes]);
  const stays = kept.map(({ dataset, number, because }) => [`${dataset}/${number}`, because.join("; ")]);
  return [
    styled(io, "bold", isTrial ? "would go" : "gone"),
    table(io, ["version", "bytes"], gone, "nothing: every version is needed"),
    "",
    table(io, ["stays", "because"], stays, "no version"),
    "",
    `${plural(freeBytes, "byte")} in chunks that no version needs ${isTrial ? "would be" : "were"} freed${isTrial ? "; more once the versions above are gone" : ""}`,
    ...(freeLaterBytes > 0 ? [laterText(freeLaterBytes, isTrial)] : []),
  ].join("\n");
}

const laterText = (bytes: number, isTrial: boolean) =>
  `${plural(bytes, "byte")} between chunks that are needed ${isTrial ? "would be freed too, by the first gc an hour later" : "go with the first gc an hour from now"}`;

export function verificationText(io: Io, dataset: string, { versions }: VerificationView): string {
  return versions
    .map(({ number, problems }) =>
      problems.length === 0
        ? `${dataset}/${number}  every byte is what was added`
        : [`${styled(io, "red", `${dataset}/${number}  broken`)}`, ...problems.map((problem) => `  ${problem}`)].join("\n"),
    )
    .join("\n");
}

export function redactionText(io: Io, { versions, notSearched }: RedactionView): string {
  const rows = versions.map(({ dataset, number, rows: count, before, after }) => [
    `${dataset}/${number}`,
    count,
    before.id.slice(0, 16),
    after?.id.slice(0, 16) ?? "no row is left",
  ]);
  const also = versions.flatMap(({ alsoIn }) => alsoIn);
  return [
    table(io, ["version", "rows taken out", "id before", "id after"], rows, "no row has that key: nothing was changed"),
    ...(also.length > 0 ? ["", `the bytes from before are still in ${[...new Set(also)].join(", ")}: erase them there`] : []),
    ...(notSearched.length > 0 ? ["", `not searched, since they have no key of one column: ${notSearched.join(", ")} (--column)`] : []),
  ].join("\n");
}
