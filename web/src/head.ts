/** Title and description of the page that is shown, for tabs, bookmarks and search engines. */

export interface Head {
  title: string;
  description: string;
  /** Pages that say "not found" must not be kept by search engines. */
  indexed?: boolean;
}

export function describePage({ title, description, indexed = true }: Head): void {
  document.title = title;
  setMeta("name", "description", description);
  setMeta("property", "og:title", title);
  setMeta("property", "og:description", description);
  setMeta("name", "robots", indexed ? "index,follow" : "noindex");
  canonical(`${location.origin}${location.pathname}`);
}

function setMeta(attribute: "name" | "property", key: string, content: string): void {
  let meta = document.head.querySelector<HTMLMetaElement>(`meta[${attribute}="${key}"]`);
  if (!meta) {
    meta = document.createElement("meta");
    meta.setAttribute(attribute, key);
    document.head.append(meta);
  }
  meta.content = content;
}

function canonical(href: string): void {
  let link = document.head.querySelector<HTMLLinkElement>('link[rel="canonical"]');
  if (!link) {
    link = document.createElement("link");
    link.rel = "canonical";
    document.head.append(link);
  }
  link.href = href;
}
