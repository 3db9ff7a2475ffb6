/** A form on its way to the server: whether it is sent, and what the server said about which field. */

import { tick } from "svelte";
import { Problem } from "../problem";

export interface Form {
  readonly busy: boolean;
  readonly problem: Problem | null;
  /** What is wrong with the field at `pointer`, such as `#/name`. */
  fault(pointer: string): string | undefined;
  /** What is wrong and belongs to none of the fields. */
  readonly remark: string | null;
  submit(event: SubmitEvent): Promise<void>;
  clear(): void;
}

/**
 * `send` does the work; what it throws is shown, the pointers among `fields` at their fields, and the first of these is
 * focused. A form is never sent twice at a time.
 */
export function createForm(fields: readonly string[], send: () => Promise<void>): Form {
  let busy = $state(false);
  let problem = $state.raw<Problem | null>(null);

  async function submit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    if (busy) return;
    const form = event.currentTarget as HTMLFormElement;
    busy = true;
    problem = null;
    try {
      await send();
    } catch (error) {
      problem = Problem.from(error);
    } finally {
      busy = false;
    }
    await tick();
    form.querySelector<HTMLElement>("[aria-invalid=true], [role=alert]")?.focus();
  }

  return {
    get busy() {
      return busy;
    },
    get problem() {
      return problem;
    },
    get remark() {
      if (!problem) return null;
      const isShownAtFields = problem.errors.length > 0 && problem.errors.every((each) => isAt(fields, each.pointer));
      return isShownAtFields ? null : problem.message;
    },
    fault: (pointer) => problem?.errors.find((each) => isAt([pointer], each.pointer))?.detail,
    submit,
    clear() {
      problem = null;
    },
  };
}

/** `#/scopes/1` is a fault of `#/scopes`. */
function isAt(fields: readonly string[], pointer: string): boolean {
  return fields.some((field) => pointer === field || pointer.startsWith(`${field}/`));
}
