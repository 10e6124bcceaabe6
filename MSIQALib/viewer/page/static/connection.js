// When the server is out of reach the page says so, and comes back by itself.

const AGAIN_MS = 2500;
const STOPPED = 503;

export function watchConnection(trame) {
  let lost = false;
  trame.addConnectListener(() => {
    trame.client.onConnectionClose(() => {
      if (lost) return;
      lost = true;
      const note = document.createElement("div");
      note.className = "lost";
      note.setAttribute("role", "alert");
      note.textContent = "The connection to the viewer is lost. Waiting for it…";
      document.body.append(note);
      const timer = setInterval(async () => {
        const answer = await fetch("index.html", { cache: "no-store" }).catch(() => null);
        // A viewer that has stopped does not come back by itself; its own page says what to do.
        if (!answer || !(answer.ok || answer.status === STOPPED)) return;
        clearInterval(timer);
        window.location.reload();
      }, AGAIN_MS);
    });
  });
}
