// Runs before the first paint so that a chosen theme never flashes; a file because the page allows no inline script.
(() => {
  let choice = null;
  try {
    choice = localStorage.getItem("rowcast-theme");
  } catch {
    // Storage may be blocked; the system's choice then stands.
  }
  if (choice === "light" || choice === "dark") document.documentElement.dataset.theme = choice;
})();
