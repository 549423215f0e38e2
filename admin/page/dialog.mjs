// Questions before something is done, and short notes after it.

import { fresh, h, replace } from "./dom.mjs";

/**
 * Asks before something is done. `body` may hold controls; `act` is called with the form when it is confirmed, and what it
 * throws is shown in the dialog, which stays open. Answers whether it was done.
 */
export function confirm({ title, body, action, isDangerous = true, act }) {
  const heading = fresh("dialog");
  const error = h("p", { class: "error", role: "alert", hidden: true });
  const yes = h("button", { type: "submit", class: isDangerous ? "danger" : "primary" }, action);
  const no = h("button", { type: "button", on: { click: () => dialog.close() } }, "Cancel");
  const form = h("form", { method: "dialog" }, h("h2", { id: heading }, title), body, error, h("div", { class: "actions" }, no, yes));
  const dialog = h("dialog", { "aria-labelledby": heading }, form);
  const before = document.activeElement;
  return new Promise((resolve) => {
    let isDone = false;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      yes.disabled = true;
      try {
        await act(form);
        isDone = true;
        dialog.close();
      } catch (failure) {
        replace(error, failure.message);
        error.hidden = false;
      } finally {
        yes.disabled = false;
      }
    });
    dialog.addEventListener("close", () => {
      dialog.remove();
      if (before?.isConnected) before.focus();
      resolve(isDone);
    });
    document.body.append(dialog);
    dialog.showModal();
    (form.querySelector("input, select, textarea") ?? no).focus();
  });
}

let notes;

/** Says in a corner what has happened, also to a screen reader. */
export function notify(text, { isError = false } = {}) {
  notes ??= document.body.appendChild(h("div", { class: "notes", role: "status", "aria-live": "polite" }));
  const note = h("p", { class: isError ? "note bad" : "note" }, text);
  notes.append(note);
  while (notes.children.length > 4) notes.firstChild.remove();
  setTimeout(() => note.remove(), isError ? 12_000 : 5000);
}

/** Does something and says how it went. */
export async function attempt(act, done) {
  try {
    const answer = await act();
    if (done) notify(typeof done === "function" ? done(answer) : done);
    return answer;
  } catch (error) {
    notify(error.message, { isError: true });
    return undefined;
  }
}
