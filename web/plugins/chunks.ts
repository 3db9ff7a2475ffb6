/** How the site's code is divided into files. */

interface ModuleInfo {
  isEntry: boolean;
  importers: readonly string[];
}

interface Context {
  getModuleInfo(id: string): ModuleInfo | null;
}

/**
 * What every first page needs comes as two files instead of two dozen: that compresses better and spares a phone the
 * requests. The library stands apart because it outlives many releases in caches.
 */
export const FIRST_LOAD = [
  { name: named("svelte", (id) => /\/node_modules\/(svelte|esm-env|clsx)\//.test(id)), priority: 1 },
  { name: named("first", () => true) },
];

function named(name: string, test: (id: string) => boolean) {
  return (id: string, context: Context) => (test(id) && isFirst(id, context) ? name : null);
}

/** Whether the page's own script leads to a module by imports that are not put off. */
function isFirst(id: string, context: Context): boolean {
  const seen = new Set([id]);
  for (const each of seen) {
    const info = context.getModuleInfo(each);
    // The script itself stays a file of its own.
    if (info?.importers.some((importer) => context.getModuleInfo(importer)?.isEntry)) return each !== id;
    for (const importer of info?.importers ?? []) seen.add(importer);
  }
  return false;
}
