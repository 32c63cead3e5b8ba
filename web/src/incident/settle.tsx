import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useId, useState } from "react";
import type { IncidentMoveView } from "../../../src/api/ui-view.ts";
import { ApiError, post } from "../api.ts";
import { incidentQuery } from "../queries.ts";
import { Button } from "../ui/button.tsx";
import { moveSaid } from "../words.ts";
import css from "./settle.module.css";

/** What a person says that the incident has come to, and why: nothing ends without a reason. */
export function Settle({ n, moves }: { n: number; moves: readonly IncidentMoveView[] }) {
  const client = useQueryClient();
  const [reason, setReason] = useState("");
  const [hintId, errorId] = [useId(), useId()];
  const moving = useMutation({
    mutationFn: (to: IncidentMoveView) => post<unknown>(`/v1/incidents/${n}/state`, { to, reason: reason.trim() }),
    onSuccess: () => setReason(""),
    // Also where it was refused: somebody else may have been quicker.
    onSettled: () => client.invalidateQueries({ queryKey: incidentQuery(n).queryKey }),
  });
  const isEmpty = reason.trim() === "";
  return (
    <div className={css.settle}>
      <label className={css.field}>
        <span>Reason</span>
        <textarea
          name="reason"
          rows={3}
          maxLength={2000}
          value={reason}
          onChange={(event) => setReason(event.target.value)}
          aria-describedby={moving.isError ? `${errorId} ${hintId}` : hintId}
          aria-invalid={moving.isError}
          required
        />
      </label>
      {moving.isError && (
        <p id={errorId} className={css.error} role="alert">
          {sentenceOf(moving.error)}
        </p>
      )}
      <p id={hintId} className={css.hint}>
        Stands in the timeline and in the audit log. Resolving or closing ends the alert.
      </p>
      <div className={css.buttons}>
        {moves.map((to) => (
          <Button key={to} onClick={() => moving.mutate(to)} disabled={isEmpty || moving.isPending}>
            {moveSaid(to)}
          </Button>
        ))}
      </div>
    </div>
  );
}

function sentenceOf(error: Error): string {
  if (!(error instanceof ApiError)) throw error;
  return error.problem.detail ?? error.problem.title;
}
