/** Supabase Auth's refusals in our words, each pointing at the field that it is about. */

import { type AuthError, isAuthRetryableFetchError } from "@supabase/supabase-js";
import { Problem } from "../problem";

interface Words {
  detail: string;
  field?: "email" | "password";
}

const TOO_MANY = "Too many tries in a short time. Wait a minute, then try again.";
const SPENT = "This link has expired or was used before. Ask for a new one.";

const WORDS: Record<string, Words> = {
  invalid_credentials: { detail: "This e-mail address and this password do not belong together.", field: "password" },
  email_not_confirmed: {
    detail: "This address is not confirmed yet: open the link in the mail that was sent to it.",
    field: "email",
  },
  user_already_exists: { detail: "There is an account with this address already. Sign in instead.", field: "email" },
  email_exists: { detail: "There is an account with this address already. Sign in instead.", field: "email" },
  email_address_invalid: { detail: "Mail cannot be sent to this address.", field: "email" },
  email_address_not_authorized: { detail: "Mail cannot be sent to this address.", field: "email" },
  validation_failed: { detail: "This is not an e-mail address that mail can be sent to.", field: "email" },
  weak_password: { detail: "Choose a longer password, which nobody would guess.", field: "password" },
  same_password: { detail: "This is the password you have already. Choose another.", field: "password" },
  signup_disabled: { detail: "New accounts cannot be made here. Ask an administrator for one.", field: "email" },
  user_not_found: { detail: "There is no account with this address.", field: "email" },
  user_banned: { detail: "This account is locked. Ask an administrator.", field: "email" },
  otp_expired: { detail: SPENT },
  otp_disabled: { detail: "Links by mail are switched off here." },
  flow_state_not_found: { detail: SPENT },
  flow_state_expired: { detail: SPENT },
  pkce_code_verifier_not_found: {
    detail: "This link works only in the browser that asked for it. Open it there, or ask for a new one here.",
  },
  over_request_rate_limit: { detail: TOO_MANY },
  over_email_send_rate_limit: { detail: "Too many mails in a short time. Wait a few minutes, then ask again." },
  reauthentication_needed: { detail: "For a new password, sign out, sign in again and come back here." },
  session_not_found: { detail: "Your session has ended. Sign in again." },
};

export function toProblem(error: AuthError): Problem {
  if (isAuthRetryableFetchError(error)) {
    return navigator.onLine
      ? new Problem("The sign-in service cannot be reached.", { status: 0, code: "unreachable" })
      : new Problem("You are offline.", { status: 0, code: "offline" });
  }
  const status = error.status ?? 0;
  const code = error.code ?? (status === 429 ? "over_request_rate_limit" : "sign_in");
  const words = WORDS[code] ?? { detail: error.message };
  const errors = words.field ? [{ pointer: `#/${words.field}`, detail: words.detail }] : [];
  return new Problem(words.detail, { status, code, errors });
}
