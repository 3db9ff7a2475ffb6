/** Short notes of what has just been done, with a way to undo it where there is one. */

export interface Toast {
  id: number;
  text: string;
  undo: (() => void) | null;
}

const SHOWN_MS = 6000;
/** Undoing must be reachable without haste. */
const SHOWN_WITH_UNDO_MS = 15_000;

export const toasts = $state<Toast[]>([]);
let last = 0;

export function toast(text: string, undo: (() => void) | null = null): void {
  last += 1;
  const id = last;
  toasts.push({ id, text, undo });
  setTimeout(() => dismiss(id), undo ? SHOWN_WITH_UNDO_MS : SHOWN_MS);
}

export function dismiss(id: number): void {
  const index = toasts.findIndex((each) => each.id === id);
  if (index >= 0) toasts.splice(index, 1);
}
