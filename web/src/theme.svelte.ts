/** Light, dark, or what the system says. `public/first.js` applies the choice before the first paint. */

export type Theme = "system" | "light" | "dark";

const KEY = "rowcast-theme";

export const theme = $state<{ choice: Theme }>({ choice: remembered() });

export function chooseTheme(choice: Theme): void {
  theme.choice = choice;
  if (choice === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = choice;
  try {
    if (choice === "system") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, choice);
  } catch {
    // Storage may be blocked; the choice then lasts as long as the page.
  }
}

function remembered(): Theme {
  const choice = document.documentElement.dataset.theme;
  return choice === "light" || choice === "dark" ? choice : "system";
}
