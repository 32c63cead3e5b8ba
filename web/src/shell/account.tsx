import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import type { ViewerView } from "../../../src/api/ui-view.ts";
import { signOut } from "../api.ts";
import type { LiveFeed } from "../live-feed.ts";
import { storedTheme, storeTheme, themes } from "../theme.ts";
import { Button } from "../ui/button.tsx";
import css from "./account.module.css";

/** Who one is, out, and light or dark. */
export function Account({ viewer, feed }: { viewer: ViewerView; feed: LiveFeed }) {
  const client = useQueryClient();
  const [theme, setTheme] = useState(storedTheme);
  const leaving = useMutation({
    mutationFn: signOut,
    onSuccess: async () => {
      feed.tellSignedOut();
      await client.resetQueries();
    },
  });
  const next = themes[(themes.indexOf(theme) + 1) % themes.length] ?? "system";
  return (
    <div className={css.account}>
      <span className={css.who}>
        {viewer.name} · {viewer.role}
      </span>
      <span className={css.acts}>
        <Button look="quiet" onClick={() => leaving.mutate()} disabled={leaving.isPending}>
          {leaving.isError ? "Sign out: try again" : "Sign out"}
        </Button>
        <Button
          look="quiet"
          title={`Change to ${next}`}
          onClick={() => {
            storeTheme(next);
            setTheme(next);
          }}
        >
          Theme: {theme}
        </Button>
      </span>
    </div>
  );
}
