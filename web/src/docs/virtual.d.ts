/** Made by `web/plugins/docs.ts` from the Markdown files. */
declare module "virtual:docs" {
  import type { DocsEntry, DocsText } from "./pages";
  export const pages: DocsEntry[];
  export const loaders: Record<string, () => Promise<{ default: DocsText }>>;
}
