/** Where this browser keeps the session: its own storage, or this page's memory where storage is blocked. */

export const SESSION_KEY = "rowcast-session";

/** When somebody signed out here, in any tab. */
export const LEFT_KEY = "rowcast-left";

const memory = new Map<string, string>();

export const keeper = {
  getItem(key: string): string | null {
    try {
      return localStorage.getItem(key);
    } catch {
      return memory.get(key) ?? null;
    }
  },
  setItem(key: string, value: string): void {
    try {
      localStorage.setItem(key, value);
    } catch {
      memory.set(key, value);
    }
  },
  removeItem(key: string): void {
    memory.delete(key);
    try {
      localStorage.removeItem(key);
    } catch {
      // Blocked: there is nothing to remove then.
    }
  },
};
