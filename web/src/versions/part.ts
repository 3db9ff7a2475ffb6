/** What a signed-in person may do with a model's versions. */

import type { Me, Member } from "../types";

export function mayMove(me: Me, members: Member[] | null): boolean {
  const part = members?.find((member) => member.id === me.id)?.role;
  return me.role === "admin" || part === "owner" || part === "editor";
}
