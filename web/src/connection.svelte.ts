/** Whether the browser has a network at all. */

export const connection = $state({ online: navigator.onLine });

addEventListener("online", () => {
  connection.online = true;
});
addEventListener("offline", () => {
  connection.online = false;
});
