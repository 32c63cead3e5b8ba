import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useId, useState, type FormEvent } from "react";
import { ApiError, signIn } from "../api.ts";
import { Button } from "../ui/button.tsx";
import { Logo } from "../ui/icon.tsx";
import css from "./sign-in.module.css";

/** Asks for an access token. It goes to the server, which keeps it in a cookie that no script can read, and nowhere else. */
export function SignIn() {
  const client = useQueryClient();
  const [token, setToken] = useState("");
  const [hintId, errorId] = [useId(), useId()];
  const entering = useMutation({ mutationFn: signIn, onSuccess: () => client.resetQueries() });
  const isEmpty = token.trim() === "";
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!isEmpty) entering.mutate(token.trim());
  };
  return (
    <main className={css.page}>
      <title>Sign in · Evenkeel</title>
      <form className={css.form} onSubmit={submit}>
        <p className={css.brand}>
          <Logo />
          Evenkeel
        </p>
        <h1>Sign in</h1>
        <label className={css.field}>
          <span>Access token</span>
          <input
            type="password"
            name="token"
            autoComplete="current-password"
            spellCheck={false}
            value={token}
            onChange={(event) => setToken(event.target.value)}
            aria-describedby={entering.isError ? `${errorId} ${hintId}` : hintId}
            aria-invalid={entering.isError}
            required
          />
        </label>
        {entering.isError && (
          <p id={errorId} className={css.error} role="alert">
            {sentenceOf(entering.error)}
          </p>
        )}
        <p id={hintId} className={css.hint}>
          The server printed one when it started for the first time. <code>evenkeel token create</code> makes more.
        </p>
        <Button look="primary" type="submit" disabled={entering.isPending}>
          {entering.isPending ? "Signing in" : "Sign in"}
        </Button>
      </form>
    </main>
  );
}

function sentenceOf(error: Error): string {
  if (!(error instanceof ApiError)) throw error;
  const { status, title, detail } = error.problem;
  return status === 400 ? "That isn't an access token: it is too short or too long." : (detail ?? title);
}
