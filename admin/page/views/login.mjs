// Trading a token for a session.

import { field, h, replace } from "../dom.mjs";
import { login as trade } from "../session.mjs";
import { themeButton } from "../shell.mjs";

export function login() {
  const token = h("input", { type: "password", name: "token", autocomplete: "current-password", required: true, spellcheck: "false" });
  const error = h("p", { class: "error", role: "alert" });
  const button = h("button", { type: "submit", class: "primary" }, "Log in");
  const hint = "Made by strowger token add NAME --role ROLE";
  const form = h("form", { class: "card stack login" },
    h("div", { class: "heading" }, h("img", { src: "page/icon.svg", alt: "", width: 32, height: 32 }), h("h1", {}, "Strowger")),
    field("Token", token, { hint }), error, button);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    replace(error);
    try {
      await trade(token.value.trim());
    } catch (failure) {
      replace(error, failure.message);
      token.select();
      token.focus();
      // A second more: what is left of one is not in the answer.
      hold(button, failure.retryAfterSecs ? failure.retryAfterSecs + 1 : 0);
      return;
    }
    button.disabled = false;
  });
  const node = h("main", { class: "alone" }, form, h("div", { class: "corner" }, themeButton()));
  queueMicrotask(() => token.focus());
  return node;
}

/** Nobody is heard before this time; the button says how long. */
function hold(button, secs) {
  button.disabled = secs > 0;
  replace(button, secs > 0 ? `Wait ${secs} s` : "Log in");
  if (secs > 0) setTimeout(() => button.isConnected && hold(button, secs - 1), 1000);
}
