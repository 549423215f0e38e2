// Who is logged in, and what he may do.

import { connection, del, get, post } from "./api.mjs";

const ROLES = ["viewer", "operator", "admin"];

/** `name` and `role`; `role` is undefined when nobody is logged in. */
export const session = Object.assign(new EventTarget(), { name: undefined, role: undefined });

function become(who) {
  if (session.name === who?.name && session.role === who?.role) return;
  session.name = who?.name;
  session.role = who?.role;
  session.dispatchEvent(new Event("change"));
}

/** Whether the one who is logged in has at least this role. */
export function may(role) {
  return ROLES.indexOf(session.role) >= ROLES.indexOf(role);
}

/** Finds out whether a cookie or a certificate lets us in already. */
export async function resume() {
  try {
    become(await get("/login"));
  } catch (error) {
    if (error.status !== 401) throw error;
  }
}

export async function login(token) {
  become(await post("/login", { token }));
}

export async function logout() {
  await del("/login");
  become(undefined);
}

connection.addEventListener("denied", () => {
  if (session.role) become(undefined);
});
