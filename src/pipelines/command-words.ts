/** A command as its words: as a shell splits it, without anything else that a shell does. Pure. */
import { err, ok, type Result } from "../std.ts";

/**
 * Words between spaces; quotes, single or double, keep spaces and nothing else is special. A placeholder is replaced in a word afterwards,
 * so that what it stands for can't become several words. The error is the text from the quote that is never closed.
 */
export function wordsOf(cmd: string): Result<readonly string[], string> {
  const words: string[] = [];
  let at = 0;
  for (;;) {
    while (/\s/.test(cmd[at] ?? "")) at++;
    if (at >= cmd.length) return ok(words);
    let word = "";
    while (at < cmd.length && !/\s/.test(cmd[at] ?? "")) {
      const quote = cmd[at] ?? "";
      if (quote !== '"' && quote !== "'") {
        word += quote;
        at++;
        continue;
      }
      const end = cmd.indexOf(quote, at + 1);
      if (end < 0) return err(cmd.slice(at));
      word += cmd.slice(at + 1, end);
      at = end + 1;
    }
    words.push(word);
  }
}
