// What the server tells the page, mirrored from trame's state, and what the page asks of it. The
// notice alone is the page's own: what went wrong on the way to the server.

const { reactive } = window.Vue;
const PREFIX = "msiqa_";

export const page = reactive({
  constants: {}, studies: [], chosen: null, loading: "Starting…", message: null, notice: null, study: null,
  place: null, display: {}, run: { state: "idle" }, rows: [], summary: null, maps: [], activations: {}, revision: 0,
});

let client = null;
let unsent = null;
let sending = false;

export function follow(trame) {
  client = trame;
  trame.addConnectListener(() => {
    const take = (keys) => keys.filter((key) => key.startsWith(PREFIX)).forEach((key) => {
      const name = key.slice(PREFIX.length);
      // A slider that is being moved must not be moved back by an echo.
      if (name === "display" && (sending || unsent)) return;
      page[name] = trame.state.get(key);
      if (name === "loading" || name === "message") page.notice = null;
    });
    take(trame.state.getAllKeys());
    trame.state.addListener(({ type, keys }) => { if (type === "dirty-state") take(keys); });
  });
}

export function act(name, ...values) {
  return client.trigger(PREFIX + name, values);
}

export function call(method, request) {
  return client.client.getConnection().getSession().call(method, [request]);
}

/** Change settings of the display: at once on the page, and on the server as fast as it follows. */
export function changeDisplay(values) {
  Object.assign(page.display, values);
  unsent = { ...unsent, ...values };
  if (!sending) send();
}

async function send() {
  sending = true;
  while (unsent) {
    const values = unsent;
    unsent = null;
    await act("set_display", values).catch(() => {});
  }
  sending = false;
}

export const running = () => ["starting", "running", "cancelling"].includes(page.run.state);
