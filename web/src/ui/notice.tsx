import type { ReactNode } from "react";
import { ApiError } from "../api.ts";
import { Button } from "./button.tsx";
import { Icon } from "./icon.tsx";
import css from "./notice.module.css";

export function Notice({ tone, children }: { tone: "watch" | "breach"; children: ReactNode }) {
  return (
    <output className={`${css.notice} ${css[tone]}`}>
      <Icon name={tone === "breach" ? "octagon" : "triangle"} size={16} />
      <span>{children}</span>
    </output>
  );
}

/** What went wrong in this region: what, what to do, what did not change, and a reference to quote. The rest of the page goes on. */
export function Problem({ error, onRetry }: { error: Error; onRetry: () => void }) {
  if (!(error instanceof ApiError)) throw error; // the program is wrong: not ours to hide
  const { status, title, detail, requestId } = error.problem;
  return (
    <div className={css.problem}>
      <Notice tone="breach">
        <b>{title}.</b> {detail}
      </Notice>
      <p className={css.whatNow}>Only reading failed: nothing was changed.</p>
      <p className={css.whatNow}>
        <Button onClick={onRetry}>Try again</Button>
        {status > 0 && (
          <code>
            {status}
            {requestId && ` · request ${requestId}`}
          </code>
        )}
      </p>
    </div>
  );
}
